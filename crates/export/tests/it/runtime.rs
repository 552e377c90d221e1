//! The ONNX files in `tract`, to 1e-5. `benches/check_onnx.py` checks the same in ONNX Runtime.

use std::io::Cursor;

use tract_onnx::prelude::*;

use crate::cases::{self, Array, Case, Data};

/// Largest difference, relative where the number is above 1.
const TOLERANCE: f64 = 1e-5;

fn tensor(array: &Array) -> TractResult<TValue> {
    let shape = &array.shape;
    let tensor = match &array.data {
        Data::Float(values) => Tensor::from_shape(shape, values)?,
        Data::Double(values) => Tensor::from_shape(shape, values)?,
        Data::Int(values) => Tensor::from_shape(shape, values)?,
        Data::Text(values) => {
            tract_ndarray::ArrayD::from_shape_vec(shape.as_slice(), values.clone())?.into_tensor()
        }
    };
    Ok(tensor.into())
}

/// The outputs of a graph in double precision, in their order.
fn run(case: &Case) -> TractResult<Vec<Vec<f64>>> {
    let model = tract_onnx::onnx().model_for_read(&mut Cursor::new(&case.onnx))?;
    let inputs = case.inputs.iter().map(|(_, array)| tensor(array));
    let inputs: TVec<TValue> = inputs.collect::<TractResult<_>>()?;
    // Sizes are given, as tract cannot compute with all of them by name.
    let facts = inputs
        .iter()
        .map(|input| InferenceFact::dt_shape(input.datum_type(), input.shape()));
    let model = facts
        .enumerate()
        .try_fold(model, |model, (at, fact)| model.with_input_fact(at, fact))?;
    let model = model.into_typed()?.into_runnable()?;
    let numbers = |output: &TValue| {
        let output = output.cast_to::<f64>()?;
        Ok(output
            .to_plain_array_view::<f64>()?
            .iter()
            .copied()
            .collect())
    };
    model.run(inputs)?.iter().map(numbers).collect()
}

#[test]
fn every_architecture_predicts_the_same_in_another_runtime() {
    let mut failed = Vec::new();
    for case in cases::all() {
        let outputs = match run(&case) {
            Ok(outputs) => outputs,
            Err(error) => {
                failed.push(format!("{}: {error:#}", case.name));
                continue;
            }
        };
        for ((output, expected), found) in case.outputs.iter().zip(outputs) {
            assert_eq!(found.len(), expected.len(), "{}: {output}", case.name);
            let pairs = found.iter().zip(expected);
            let errors =
                pairs.map(|(found, expected)| (found - expected).abs() / expected.abs().max(1.0));
            let worst = errors.fold(0.0, f64::max);
            if worst.is_nan() || worst >= TOLERANCE {
                failed.push(format!("{} differs by {worst}", case.name));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
