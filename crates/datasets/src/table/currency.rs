//! Currency and percent signs that stand before or after a number.

/// What an affix is made of, which decides how sure it is that a number follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Affix {
    /// A sign such as `$`, `R$` or `%`, or one of the four commonest codes: only numbers have them.
    Sign,
    /// Letters such as `kr` or `TRY`, which may also begin a code: `TRY 1`.
    Letters,
}

/// Codes that were always read, and that nothing but amounts begins with.
const COMMON: [&str; 4] = ["EUR", "USD", "GBP", "CHF"];

/// How people abbreviate the currency of their country.
const LOCAL: [&str; 40] = [
    "kr", "kr.", "Kr", "Kr.", "zł", "zl", "PLN", "Kč", "Ft", "Rs", "Rs.", "Re.", "Rp", "Rp.", "RM",
    "lei", "Lei", "лв", "лв.", "руб", "руб.", "р.", "грн", "грн.", "kn", "din.", "дин.", "Fr.",
    "SFr.", "sFr.", "TL", "S/", "S/.", "Bs", "Bs.", "KSh", "Ksh", "DM", "euro", "Euro",
];

/// The active codes of ISO 4217, without funds and metals.
const CODES: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL \
    BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD \
    FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS \
    KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK \
    MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD \
    SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX \
    USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWL RMB NTD";

/// What `text` is, if it is a sign known.
pub(crate) fn affix(text: &str) -> Option<Affix> {
    let mut letters = text.chars();
    let last = letters.next_back()?;
    let before = letters.as_str();
    let country = before.len() <= 3 && before.bytes().all(|byte| byte.is_ascii_uppercase());
    if is_symbol(last) && country {
        return Some(Affix::Sign);
    }
    if COMMON.contains(&text) {
        return Some(Affix::Sign);
    }
    let code = text.len() == 3 && CODES.split_ascii_whitespace().any(|code| code == text);
    (code || LOCAL.contains(&text)).then_some(Affix::Letters)
}

/// Percent, per mille, and the currency symbols of Unicode.
fn is_symbol(letter: char) -> bool {
    matches!(
        letter,
        '%' | '‰'
            | '$'
            | '\u{A2}'..='\u{A5}'
            | '\u{58F}'
            | '\u{60B}'
            | '\u{9F2}'
            | '\u{9F3}'
            | '\u{E3F}'
            | '\u{17DB}'
            | '\u{20A0}'..='\u{20C0}'
            | '\u{FDFC}'
            | '\u{FF04}'
            | '\u{FFE1}'
            | '\u{FFE5}'
            | '円'
            | '元'
    )
}

/// What stands around the digits of `word`, without signs and parentheses: before them, else after.
pub(crate) fn around(word: &str) -> Option<(String, bool)> {
    let outer = |text: &str| {
        let bare = |c: char| c.is_whitespace() || "()+-\u{2212}".contains(c);
        text.trim_matches(bare).to_owned()
    };
    let digit = |c: char| c.is_ascii_digit();
    let (first, last) = (word.find(digit)?, word.rfind(digit)?);
    let before = outer(&word[..first]);
    let after = outer(&word[last + 1..]);
    if affix(&before).is_some() {
        return Some((before, true));
    }
    affix(&after).is_some().then_some((after, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_and_codes_are_known_and_units_and_words_are_not() {
        for sign in ["$", "€", "₹", "%", "R$", "US$", "HK$", "CN¥", "USD", "CHF"] {
            assert_eq!(affix(sign), Some(Affix::Sign), "{sign}");
        }
        for code in ["kr", "kr.", "zł", "Rs.", "TRY", "JPY", "Kč"] {
            assert_eq!(affix(code), Some(Affix::Letters), "{code}");
        }
        for other in ["", "kg", "A", "R", "usd", "ABC", "room", "US$$", "°C"] {
            assert_eq!(affix(other), None, "{other}");
        }
    }

    #[test]
    fn the_sign_is_found_on_either_side() {
        for (word, expected) in [
            ("R$ 17.33", Some(("R$", true))),
            ("(1,200.50)", None),
            ("$(319.48)", Some(("$", true))),
            ("($319.48)", Some(("$", true))),
            ("-€5", Some(("€", true))),
            ("157.69 kr", Some(("kr", false))),
            ("5-€", Some(("€", false))),
            ("Rs. 1,463.10", Some(("Rs.", true))),
            ("12 kg", None),
            ("none", None),
        ] {
            let expected = expected.map(|(sign, before)| (sign.to_owned(), before));
            assert_eq!(around(word), expected, "{word}");
        }
    }
}
