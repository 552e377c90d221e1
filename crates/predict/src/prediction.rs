//! One prediction, as every model of every task gives it.

use serde::Serialize;
use serde_json::{Map, Value, json};

/// The prediction for one input.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Prediction {
    /// One of several classes.
    Class {
        /// Name of the predicted class.
        label: String,
        /// Probability of each class, in the order of the labels.
        #[serde(serialize_with = "as_map")]
        probabilities: Vec<(String, f32)>,
    },
    /// Any number of labels.
    Labels {
        /// Names of the predicted labels.
        labels: Vec<String>,
        /// Probability of each label, in their order.
        #[serde(serialize_with = "as_map")]
        probabilities: Vec<(String, f32)>,
    },
    /// A tag for each word.
    Tags {
        /// Words with their tags.
        tags: Vec<(String, String)>,
    },
    /// A number in the target's unit.
    Number {
        /// The number.
        value: f64,
    },
    /// The action of an agent.
    Action {
        /// The action.
        action: Action,
    },
    /// A class for every pixel of an image.
    Mask {
        /// Number of rows.
        height: usize,
        /// Number of columns.
        width: usize,
        /// Share of the area of each class, in their order.
        #[serde(serialize_with = "as_map")]
        areas: Vec<(String, f32)>,
        /// The file with the image that was made of it, if one was.
        #[serde(skip_serializing_if = "Option::is_none")]
        output: Option<String>,
    },
    /// Objects in an image.
    Objects {
        /// Number of rows.
        height: usize,
        /// Number of columns.
        width: usize,
        /// The objects, the best first.
        objects: Vec<FoundObject>,
        /// The file with the image that was drawn of it, if one was.
        #[serde(skip_serializing_if = "Option::is_none")]
        output: Option<String>,
    },
    /// Faces in an image with the points on them.
    Landmarks {
        /// Number of rows.
        height: usize,
        /// Number of columns.
        width: usize,
        /// The faces.
        faces: Vec<FoundFace>,
        /// The file with the image that was drawn of it, if one was.
        #[serde(skip_serializing_if = "Option::is_none")]
        output: Option<String>,
    },
    /// Several numbers by their names, for tasks with an output of their own.
    Values {
        /// Names with values.
        #[serde(serialize_with = "as_map")]
        values: Vec<(String, f32)>,
    },
}

/// An object in an image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FoundObject {
    /// Name of its class.
    pub label: String,
    /// The probability that it is right, in `[0, 1]`.
    pub score: f32,
    /// Left, top, right and bottom edge, in pixels.
    #[serde(rename = "box")]
    pub bounds: [f32; 4],
}

/// A face with its points.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FoundFace {
    /// Left, top, right and bottom edge of the box around the points, in pixels.
    #[serde(rename = "box")]
    pub bounds: [f32; 4],
    /// x and y of each point, in pixels.
    pub points: Vec<[f32; 2]>,
}

/// The action of an agent.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Action {
    /// One of `0..n`.
    Discrete(usize),
    /// One value for each dimension.
    Continuous(Vec<f32>),
}

impl Action {
    fn cells(&self) -> Vec<String> {
        match self {
            Self::Discrete(number) => vec![number.to_string()],
            Self::Continuous(values) => values.iter().map(f32::to_string).collect(),
        }
    }
}

fn as_map<S: serde::Serializer>(pairs: &[(String, f32)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}

impl FoundObject {
    /// Class, score and edges.
    fn cell(&self) -> String {
        let [left, top, right, bottom] = self.bounds.map(|edge| format!("{edge:.1}"));
        format!(
            "{} {:.3} {left} {top} {right} {bottom}",
            self.label, self.score
        )
    }
}

/// The number of objects of each class, in the order in which they are first found.
fn counts(objects: &[FoundObject]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for object in objects {
        match counts.iter_mut().find(|(label, _)| *label == object.label) {
            Some((_, count)) => *count += 1,
            None => counts.push((&object.label, 1)),
        }
    }
    if counts.is_empty() {
        return "nothing found".to_owned();
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(label, count)| format!("{label} {count}"))
        .collect();
    counts.join("  ")
}

impl Prediction {
    /// The keys of a JSON line of `predict`, without those that identify the input.
    ///
    /// ```
    /// use tinderbox_predict::Prediction;
    ///
    /// let prediction = Prediction::Number { value: 2.5 };
    /// assert_eq!(prediction.to_json()["value"], 2.5);
    /// ```
    pub fn to_json(&self) -> Map<String, Value> {
        match json!(self) {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    /// The number, of a prediction that is one.
    pub fn value(&self) -> Option<f64> {
        match self {
            Self::Number { value } => Some(*value),
            _ => None,
        }
    }

    /// The cells of a row of CSV, without those that identify the input.
    pub fn cells(&self) -> Vec<String> {
        let numbers = |pairs: &[(String, f32)]| -> Vec<String> {
            pairs.iter().map(|(_, value)| value.to_string()).collect()
        };
        match self {
            Self::Class {
                label,
                probabilities,
            } => [vec![label.clone()], numbers(probabilities)].concat(),
            Self::Labels {
                labels,
                probabilities,
            } => [vec![labels.join("|")], numbers(probabilities)].concat(),
            Self::Tags { tags } => {
                let tags: Vec<&str> = tags.iter().map(|(_, tag)| tag.as_str()).collect();
                vec![tags.join(" ")]
            }
            Self::Number { value } => vec![value.to_string()],
            Self::Action { action } => action.cells(),
            Self::Mask {
                height,
                width,
                areas,
                ..
            } => [vec![height.to_string(), width.to_string()], numbers(areas)].concat(),
            Self::Objects {
                height,
                width,
                objects,
                ..
            } => {
                let objects: Vec<String> = objects.iter().map(FoundObject::cell).collect();
                vec![height.to_string(), width.to_string(), objects.join("|")]
            }
            Self::Landmarks {
                height,
                width,
                faces,
                ..
            } => {
                let points = faces.iter().map(|face| {
                    let points = face.points.iter().map(|[x, y]| format!("{x:.2} {y:.2}"));
                    points.collect::<Vec<_>>().join(" ")
                });
                let points: Vec<String> = points.collect();
                vec![height.to_string(), width.to_string(), points.join("|")]
            }
            Self::Values { values } => numbers(values),
        }
    }

    /// The prediction for a person, on one line.
    pub fn text(&self) -> String {
        let percent = |value: f32| format!("{:.1}%", 100.0 * value);
        match self {
            Self::Class {
                label,
                probabilities,
            } => {
                // Of two classes this need not be the larger one: the threshold decides.
                let own = probabilities.iter().find(|(name, _)| name == label);
                format!("{label}  {}", percent(own.map_or(0.0, |(_, value)| *value)))
            }
            Self::Labels {
                labels,
                probabilities,
            } => {
                let own = probabilities
                    .iter()
                    .filter(|(label, _)| labels.contains(label));
                let own: Vec<String> = own
                    .map(|(label, value)| format!("{label} {}", percent(*value)))
                    .collect();
                if own.is_empty() {
                    "-".to_owned()
                } else {
                    own.join(", ")
                }
            }
            Self::Tags { tags } => {
                let tags = tags.iter().map(|(word, tag)| format!("{word}/{tag}"));
                tags.collect::<Vec<_>>().join(" ")
            }
            Self::Number { value } => format!("{value:.6}"),
            Self::Action { action } => action.cells().join("  "),
            Self::Mask {
                height,
                width,
                areas,
                output,
            } => {
                let areas = areas
                    .iter()
                    .map(|(name, share)| format!("{name} {}", percent(*share)));
                let areas = areas.collect::<Vec<_>>().join("  ");
                let output = output.as_ref();
                let output = output.map_or(String::new(), |path| format!("  -> {path}"));
                format!("{width}x{height}  {areas}{output}")
            }
            Self::Objects {
                height,
                width,
                objects,
                output,
            } => {
                let output = output.as_ref();
                let output = output.map_or(String::new(), |path| format!("  -> {path}"));
                format!("{width}x{height}  {}{output}", counts(objects))
            }
            Self::Landmarks {
                height,
                width,
                faces,
                output,
            } => {
                let output = output.as_ref();
                let output = output.map_or(String::new(), |path| format!("  -> {path}"));
                let faces = faces.iter().map(|face| {
                    let [left, top, right, bottom] = face.bounds.map(f32::round);
                    format!(
                        "face {left} {top} {right} {bottom}, {} points",
                        face.points.len()
                    )
                });
                let faces: Vec<String> = faces.collect();
                let faces = if faces.is_empty() {
                    "no face found".to_owned()
                } else {
                    faces.join("; ")
                };
                format!("{width}x{height}  {faces}{output}")
            }
            Self::Values { values } => {
                let values = values
                    .iter()
                    .map(|(name, value)| format!("{name} {value:.4}"));
                values.collect::<Vec<_>>().join("  ")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_is_that_of_the_contract() {
        let probabilities = vec![("no".to_owned(), 0.25), ("yes".to_owned(), 0.75)];
        let class = Prediction::Class {
            label: "yes".to_owned(),
            probabilities,
        };
        let json = Value::Object(class.to_json()).to_string();
        assert_eq!(
            json,
            r#"{"label":"yes","probabilities":{"no":0.25,"yes":0.75}}"#
        );
        assert_eq!(class.cells(), ["yes", "0.25", "0.75"]);
        assert_eq!(class.text(), "yes  75.0%");
        for (action, json, cells) in [
            (Action::Discrete(1), r#"{"action":1}"#, &["1"][..]),
            (
                Action::Continuous(vec![-0.5, 2.0]),
                r#"{"action":[-0.5,2.0]}"#,
                &["-0.5", "2"],
            ),
        ] {
            let prediction = Prediction::Action { action };
            let text = Value::Object(prediction.to_json()).to_string();
            assert_eq!(text, json);
            assert_eq!(prediction.cells(), cells);
        }
    }
}
