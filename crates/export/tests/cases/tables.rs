//! Models of tables.

use std::fmt::Write as _;
use std::io::Cursor;

use burn::tensor::Device;
use serde_json::{Value, json};
use tinderbox_datasets::table::{ReadOptions, Table, read_csv};
use tinderbox_predict::tabular::{Architecture, Coding, Encoder, Features, Sizes};
use tinderbox_predict::{Model, Prediction};

use super::{Array, Case, Data, Random, load, randomized};

pub fn cases() -> Vec<Case> {
    let standard = json!({"numeric_scaling": "standard", "numeric_embedding": {"kind": "none"}});
    let quantile = json!({"numeric_scaling": "quantile", "numeric_code_min_count": 5});
    let with = |base: &Value, embedding: Value| {
        let mut features = base.clone();
        features["numeric_embedding"] = embedding;
        features["d_numeric"] = json!(5);
        features
    };
    let learned = |mut features: Value| {
        features["categorical_embedding"] = json!({"kind": "learned", "d_embedding": 4});
        features
    };
    let mlp = json!({"kind": "mlp", "hidden": [9, 6]});
    let tabm = json!({"kind": "tabm", "n_members": 3, "n_blocks": 2, "d_block": 7});
    let full = json!({"kind": "tabm", "n_members": 3, "variant": "full", "d_block": 7});
    let ft =
        json!({"kind": "ft-transformer", "d_model": 8, "n_heads": 2, "n_layers": 2, "d_hidden": 6});
    let piecewise = json!({"kind": "piecewise-linear", "n_bins": 6, "rectify": true});
    vec![
        classes("table-mlp", &mlp, &standard, 1, 1.0),
        classes("table-mlp-quantile", &mlp, &quantile, 1, 0.6),
        classes("table-ensemble", &mlp, &learned(standard.clone()), 3, 1.4),
        classes(
            "table-linear",
            &mlp,
            &with(&standard, json!({"kind": "linear"})),
            1,
            1.0,
        ),
        classes(
            "table-linear-relu",
            &mlp,
            &with(&standard, json!({"kind": "linear-relu"})),
            1,
            1.0,
        ),
        classes(
            "table-encoding",
            &mlp,
            &with(&quantile, json!({"kind": "encoding", "n_bins": 6})),
            1,
            1.0,
        ),
        classes(
            "table-one-bin",
            &mlp,
            &with(&quantile, json!({"kind": "encoding", "n_bins": 1})),
            1,
            1.0,
        ),
        classes(
            "table-piecewise",
            &mlp,
            &with(&quantile, piecewise.clone()),
            1,
            1.0,
        ),
        classes(
            "table-periodic",
            &mlp,
            &with(
                &standard,
                json!({"kind": "periodic", "n_frequencies": 3, "sigma": 0.5, "lite": true}),
            ),
            1,
            1.0,
        ),
        classes(
            "table-resnet",
            &json!({"kind": "resnet", "d_block": 6, "d_hidden": 8}),
            &learned(standard.clone()),
            1,
            1.0,
        ),
        classes(
            "tabm",
            &tabm,
            &learned(with(&quantile, piecewise.clone())),
            2,
            1.2,
        ),
        classes("tabm-full", &full, &standard, 1, 1.0),
        classes("ft-transformer", &ft, &with(&quantile, piecewise), 1, 1.0),
        numbers("table-number", &tabm, &standard, false),
        numbers("table-log-number", &mlp, &quantile, true),
    ]
}

/// A table with columns of every kind, missing cells and, in later rows, categories that are new.
fn table(rows: std::ops::Range<usize>) -> String {
    let mut text = "size,weight,flag,color,when,moment,count\n".to_owned();
    let mut random = Random::new(11);
    for row in 0..rows.end {
        let size = 10.0 * random.signed().powi(3);
        let weight = random.next() * 1000.0;
        let mut cells = [
            format!("{size:.4}"),
            format!("{weight:.2}"),
            ["yes", "no"][usize::from(random.next() > 0.6)].to_owned(),
            ["red", "green", "deep blue", "été"][(random.next() * 3.99) as usize].to_owned(),
            format!(
                "19{:02}-{:02}-{:02}",
                60 + row % 40,
                1 + row * 7 % 12,
                1 + row * 11 % 28
            ),
            format!(
                "2024-{:02}-{:02} {:02}:{:02}:00",
                1 + row * 5 % 12,
                1 + row * 3 % 28,
                row * 7 % 24,
                row * 13 % 60
            ),
            (row % 4).to_string(),
        ];
        for cell in &mut cells {
            if random.next() < 0.1 {
                cell.clear();
            }
        }
        if row > 150 && row % 5 == 0 {
            "violet".clone_into(&mut cells[3]);
        }
        if row == 151 {
            "12345678".clone_into(&mut cells[0]);
            "-99999".clone_into(&mut cells[1]);
        }
        if row >= rows.start {
            writeln!(text, "{}", cells.join(",")).unwrap();
        }
    }
    text
}

fn read(text: &str) -> Table {
    let options = ReadOptions::default();
    read_csv(Cursor::new(text.as_bytes().to_vec()), "test.csv", &options)
        .unwrap()
        .0
}

fn classes(name: &str, model: &Value, features: &Value, members: usize, temperature: f64) -> Case {
    let target = json!({"kind": "classes", "labels": ["no", "yes", "perhaps"]});
    case(name, model, features, &target, members, temperature)
}

fn numbers(name: &str, model: &Value, features: &Value, log: bool) -> Case {
    let target = json!({"kind": "number", "log": log, "mean": 3.5, "deviation": 1.7});
    case(name, model, features, &target, 1, 1.0)
}

fn case(
    name: &str,
    model: &Value,
    features: &Value,
    target: &Value,
    members: usize,
    temperature: f64,
) -> Case {
    let train = read(&table(0..150));
    let features: Features = {
        let mut all = serde_json::to_value(Features::default()).unwrap();
        for (key, value) in features.as_object().unwrap() {
            all[key] = value.clone();
        }
        serde_json::from_value(all).unwrap()
    };
    let names: Vec<String> = train
        .columns()
        .iter()
        .map(|column| column.name().to_owned())
        .collect();
    let rows: Vec<usize> = (0..train.rows()).collect();
    let encoder = Encoder::fit(&train, &names, &rows, &features).unwrap();
    let config: Architecture = serde_json::from_value(model.clone()).unwrap();
    let is_number = target["kind"] == "number";
    let sizes = Sizes {
        n_numeric: encoder.n_numeric(),
        cardinalities: encoder.cardinalities(),
        d_output: if is_number { 1 } else { 3 },
    };
    let net = config.init(&sizes, &features, &Device::flex()).unwrap();
    let net = match features.numeric_embedding.n_bins() {
        // Fewer bins than there is room for, and a column with one.
        Some(bins) => {
            let edges = (0..sizes.n_numeric).map(|column| {
                let count = if column == 1 { 1 } else { bins.min(2 + column) };
                (0..=count).map(|at| at as f32 * 0.7 - 1.0).collect()
            });
            net.with_bins(&edges.collect::<Vec<Vec<f32>>>()).unwrap()
        }
        None => net,
    };
    let weights = net.to_bytes().unwrap();
    let weights: Vec<_> = (0..members)
        .map(|seed| randomized(&weights, seed as u64))
        .collect();
    let mut spec = json!({
        "kind": "table-model",
        "members": members,
        "model": config,
        "sizes": sizes,
        "features": features,
        "target_column": "target",
        "schema": train.schema(),
        "file_format": {},
        "encoder": encoder,
        "target": target,
        "temperature": temperature,
        "threshold": null,
    });
    let (model, exported) = load(&mut spec, &weights);
    let text = table(140..170);
    let Model::Table(predictor) = &model else {
        unreachable!("it is a model of a table")
    };
    let read = predictor.read_bytes(text.as_bytes(), "new.csv").unwrap();
    let inputs = predictor.encoder().features().iter().map(|feature| {
        let column = read.column(&feature.name).unwrap();
        let data = match feature.coding {
            Coding::Categories { .. } => {
                let words = column.words().unwrap();
                let word = |row| words.get(row).unwrap_or_default().to_owned();
                Data::Text((0..read.rows()).map(word).collect())
            }
            _ => Data::Double((0..read.rows()).map(|row| column.number(row)).collect()),
        };
        let shape = vec![read.rows(), 1];
        (feature.name.clone(), Array { shape, data })
    });
    let inputs = inputs.collect();
    let predictions = predictor.predict(&read).unwrap();
    let expected = predictions.iter().flat_map(|prediction| match prediction {
        Prediction::Class { probabilities, .. } => {
            probabilities.iter().map(|(_, p)| f64::from(*p)).collect()
        }
        Prediction::Number { value } => vec![*value],
        _ => Vec::new(),
    });
    let output = if is_number { "value" } else { "probabilities" };
    let outputs = vec![(output.to_owned(), expected.collect())];
    let encoded = predictor.encode(&read).unwrap();
    let numeric = Array {
        shape: vec![encoded.rows, encoded.n_numeric],
        data: Data::Float(encoded.numeric),
    };
    let codes = Array {
        shape: vec![encoded.rows, encoded.n_codes],
        data: Data::Int(encoded.codes.into_iter().map(i64::from).collect()),
    };
    let encoded = vec![("numeric".to_owned(), numeric), ("codes".to_owned(), codes)];
    Case {
        name: name.to_owned(),
        inputs,
        weights: Some((exported, encoded)),
        outputs,
        onnx: tinderbox_export::onnx(&model).unwrap(),
    }
}
