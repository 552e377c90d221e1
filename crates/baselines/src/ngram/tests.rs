use super::*;

/// a b a b a c, in a vocabulary with a token that never occurs.
const TOKENS: [u32; 6] = [0, 1, 0, 1, 0, 2];
const VOCAB: usize = 4;

fn fit(max_order: usize, train: &[u32], valid: &[u32], vocab_size: usize) -> Ngram {
    let config = NgramConfig {
        max_order,
        ..NgramConfig::default()
    };
    config.fit(train, &[valid], vocab_size).unwrap()
}

fn distribution(model: &Ngram, history: &[u32]) -> Vec<f64> {
    let tokens = 0..model.vocab_size as u32;
    tokens
        .map(|token| model.probability(history, token).unwrap())
        .collect()
}

fn close(found: &[f64], expected: &[f64]) {
    let pairs = found.iter().zip(expected);
    let off = pairs.map(|(f, e)| (f - e).abs()).fold(0.0, f64::max);
    assert!(
        found.len() == expected.len() && off < 1e-6,
        "{found:?} is not {expected:?}"
    );
}

/// Each of a, b and c occurs after one token: discounted by 0.5 of 3, and half is left to all four.
const ALONE: [f64; 4] = [
    0.5 / 3.0 + 0.5 / 4.0,
    0.5 / 3.0 + 0.5 / 4.0,
    0.5 / 3.0 + 0.5 / 4.0,
    0.5 / 4.0,
];

#[test]
fn pairs_have_the_probabilities_by_hand() {
    let model = fit(2, &TOKENS, &TOKENS, VOCAB);
    assert_eq!((model.order(), model.tokens()), (2, 6));
    // `ab` twice and `ac` once after `a`: discounts 1 and 0.5 of 3.
    let after_a = [
        0.5 * ALONE[0],
        1.0 / 3.0 + 0.5 * ALONE[1],
        0.5 / 3.0 + 0.5 * ALONE[2],
        0.5 * ALONE[3],
    ];
    close(&distribution(&model, &[0]), &after_a);
    close(&distribution(&model, &[1, 0]), &after_a);
    let after_b = distribution(&model, &[1]);
    close(&after_b[..1], &[0.5 + 0.5 * ALONE[0]]);
    // Nothing follows `c`, and the last token does not occur.
    close(&distribution(&model, &[2]), &ALONE);
    close(&distribution(&model, &[3]), &ALONE);
    close(&distribution(&model, &[]), &ALONE);
    let nats = model.nats(&[&[1, 0, 1], &[2, 0], &[3]]).unwrap();
    let expected = [after_b[0], after_a[1], ALONE[0]];
    close(&[nats], &[-expected.iter().map(|p| p.ln()).sum::<f64>()]);
}

#[test]
fn triples_count_contexts_in_shorter_ones() {
    let model = fit(3, &TOKENS, &[1, 0, 2], VOCAB);
    assert_eq!((model.order(), model.tried()), (3, 3));
    // In front of `ab` and of `ac` one token occurs, each: discounted by 0.5 of 2.
    let after_a = [
        0.5 * ALONE[0],
        0.25 + 0.5 * ALONE[1],
        0.25 + 0.5 * ALONE[2],
        0.5 * ALONE[3],
    ];
    close(&distribution(&model, &[0]), &after_a);
    // `bab` and `bac` once each.
    let after_ba = [
        0.5 * after_a[0],
        0.25 + 0.5 * after_a[1],
        0.25 + 0.5 * after_a[2],
        0.5 * after_a[3],
    ];
    close(&distribution(&model, &[1, 0]), &after_ba);
    close(&distribution(&model, &[0, 1, 0]), &after_ba);
    close(&distribution(&model, &[2, 0]), &after_a);
}

#[test]
fn discounts_are_chen_and_goodmans() {
    // Four n-grams occur once, two twice, one three and one four times: Y is 4 / (4 + 4).
    let counts = [1, 1, 1, 1, 2, 2, 3, 4, 0, 9];
    close(&discounts(&counts), &[0.5, 1.25, 1.0]);
    // Without a count of 2 or 3 there is no estimate; nor is a negative one used.
    assert_eq!(
        discounts(&[1, 1, 3, 4]).map(f64::to_bits),
        FALLBACK.map(f64::to_bits)
    );
    let many_threes = [1, 1, 1, 2, 3, 3, 3, 3, 4];
    assert_eq!(
        discounts(&many_threes).map(f64::to_bits),
        FALLBACK.map(f64::to_bits)
    );
}

/// Tokens that depend on the two before, with some noise, in a vocabulary of 13 of which 12 occur.
fn walk(length: u32) -> Vec<u32> {
    let mut tokens = vec![1_u32, 2];
    let mut noise = 7_u32;
    for at in 2..length as usize {
        noise = noise.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        let next = (2 * tokens[at - 1] + tokens[at - 2]) % 12;
        tokens.push(if noise >> 30 == 0 {
            (noise >> 8) & 7
        } else {
            next
        });
    }
    tokens
}

#[test]
fn probabilities_add_up_to_one_after_known_and_unknown_histories() {
    let tokens = walk(2_000);
    for max_order in MIN_ORDER..=MAX_ORDER {
        // On its own training tokens, the longest n-grams are the best.
        let model = fit(max_order, &tokens, &tokens, 13);
        assert_eq!(model.order(), max_order);
        let known = (0..40).map(|at| tokens[at * 7..][..at % 8].to_vec());
        let unknown = [vec![12], vec![3, 12, 5], vec![12; 6], vec![0, 0, 0, 0, 11]];
        for history in known.chain(unknown) {
            let next = distribution(&model, &history);
            assert!(next.iter().all(|&p| p > 0.0), "{history:?}");
            let sum: f64 = next.iter().sum();
            assert!((sum - 1.0).abs() < 1e-5, "{sum} after {history:?}");
        }
    }
}

/// Expected: an independent implementation in Python, from the definition.
#[test]
fn the_order_is_the_best_on_other_tokens() {
    let tokens = walk(6_000);
    let (train, valid) = tokens.split_at(5_000);
    let model = fit(6, train, valid, 13);
    // The next token depends on two; longer n-grams only add noise.
    assert_eq!(model.order(), 3);
    let loss = |model: &Ngram| model.nats(&[valid]).unwrap() / 999.0;
    assert!((loss(&model) - 1.008_137).abs() < 1e-5);
    for (order, expected) in [(2, 2.511_784), (4, 1.046_352), (6, 1.105_877)] {
        let other = fit(order, train, &train[..500], 13);
        assert_eq!(other.order(), order);
        let found = loss(&other);
        assert!((found - expected).abs() < 1e-5, "{order}: {found}");
    }
}

#[test]
fn of_many_tokens_the_last_ones_are_used() {
    let tokens = walk(3_000);
    let few = NgramConfig {
        max_tokens: 1_000,
        ..NgramConfig::default()
    };
    let model = few.fit(&tokens, &[&tokens[..50]], 13).unwrap();
    assert_eq!(model.tokens(), 1_000);
    let same = NgramConfig::default()
        .fit(&tokens[2_000..], &[&tokens[..50]], 13)
        .unwrap();
    close(&distribution(&model, &[3]), &distribution(&same, &[3]));
    let few = NgramConfig {
        max_ngrams: 2,
        ..few
    };
    assert_eq!(few.fit(&tokens, &[&tokens[..50]], 13).unwrap().tried(), 2);
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let config = NgramConfig::default();
    let error = config.fit(&[1], &[&[0, 1]], 2).unwrap_err();
    assert_eq!(error, BaselineError::NoTokens { train: 1, valid: 1 });
    let error = config.fit(&[1, 0], &[&[0], &[]], 2).unwrap_err();
    assert_eq!(error, BaselineError::NoTokens { train: 2, valid: 0 });
    let token = |token, vocab_size| BaselineError::Token { token, vocab_size };
    let error = config.fit(&[1, 2], &[&[0, 1]], 2).unwrap_err();
    assert_eq!(error, token(2, 2));
    let error = config.fit(&[1, 0], &[&[0, 5]], 2).unwrap_err();
    assert_eq!(error, token(5, 2));
    let model = config.fit(&[1, 0, 1], &[&[0, 1]], 2).unwrap();
    assert_eq!(model.probability(&[0], 2).unwrap_err(), token(2, 2));
    assert_eq!(model.probability(&[7], 1).unwrap_err(), token(7, 2));
    let wide = NgramConfig {
        max_order: 7,
        ..config
    };
    let error = wide.fit(&[1, 0], &[&[0, 1]], 2).unwrap_err();
    assert!(error.to_string().contains("`max_order` must lie in [2, 6]"));
}
