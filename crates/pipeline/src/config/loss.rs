//! Losses in `pipeline.yaml`.

use schemars::{Schema, SchemaGenerator, json_schema};
use segbench_losses::{LOSSES, RecipeOptions};
use segbench_types::Explain as _;

/// What is wrong with the losses of a training, if anything.
pub(super) fn problem(loss: Option<&RecipeOptions>, has_class_weights: bool) -> Option<String> {
    match loss?.build(None) {
        Err(err) => Some(err.help().map_or(err.to_string(), |help| format!("{err}: {help}"))),
        Ok(recipe) if recipe.needs().class_weights && !has_class_weights => {
            Some("one of the losses needs class weights: name a scheme as `class_weights`".into())
        }
        Ok(_) => None,
    }
}

/// A name, or names with a weight or with options. The options of each loss are checked when the file is read.
pub(super) fn schema(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = LOSSES.iter().map(|card| card.name).collect();
    let weight = json_schema!({
        "anyOf": [
            { "type": "number" },
            {
                "type": "object",
                "properties": { "from": { "type": "number" }, "to": { "type": "number" } },
                "required": ["from", "to"],
                "additionalProperties": false
            }
        ]
    });
    json_schema!({
        "anyOf": [
            { "enum": names },
            {
                "type": "object",
                "propertyNames": { "enum": names },
                "additionalProperties": {
                    "anyOf": [{ "type": "number" }, { "type": "object", "properties": { "weight": weight } }]
                }
            },
            { "type": "null" }
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    fn read(train: &str) -> Result<Config, String> {
        let text = format!(
            "version: 1\ndatasets: {{ sample: {{}} }}\nruns:\n  - model: segformer-tiny\n    train: {{ dataset: sample, {train} }}\n"
        );
        Config::parse(&text, "pipeline.yaml", &[]).map_err(|err| err.to_string())
    }

    #[test]
    fn losses_are_read_by_name_with_weights_and_with_options() {
        for (text, shown) in [
            ("loss: dice", "dice=1"),
            ("loss: { cross-entropy: 1, boundary: 0.01 }", "boundary=0.01+cross-entropy=1"),
            (
                "loss: { boundary: { weight: { from: 0.01, to: 1 } }, topk: { k: 25 } }",
                "boundary=0.01..1+topk{\"k\":25}=1",
            ),
            ("loss: weighted-cross-entropy, class_weights: enet", "weighted-cross-entropy=1"),
        ] {
            let config = read(text).expect(text);
            let loss = config.runs[0].train.as_ref().and_then(|train| train.loss.as_ref()).expect("a loss");
            assert_eq!(loss.to_string(), shown);
        }
    }

    #[test]
    fn wrong_losses_are_told_with_their_place() {
        for (text, part) in [
            ("loss: dise", "did you mean `dice`?"),
            ("loss: { topk: { j: 3 } }", "unknown field `j`"),
            ("loss: { dice: -1 }", "expected a positive number"),
            ("loss: weighted-cross-entropy", "needs class weights"),
        ] {
            let message = read(text).expect_err(text);
            assert!(message.contains(part), "{text}: {message}");
        }
    }
}
