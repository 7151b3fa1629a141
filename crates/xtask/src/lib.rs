//! What is derived from the code and committed beside it, so that a reader finds it without running anything.

mod models;

/// Path below the repository and contents of every generated file.
pub fn generated() -> Vec<(&'static str, String)> {
    vec![
        ("schemas/pipeline.schema.json", schema()),
        ("docs/losses.md", losses()),
        ("docs/models.md", models::page()),
    ]
}

/// The reference page of all losses.
fn losses() -> String {
    let mut text = String::from(
        "# Losses\n\n\
         Written by `just generate`. `p` are probabilities, `g` is 1 on pixels of the class, sums go over the labelled pixels of an image.\n\
         Every loss has `form: repaired` (what its paper means, and the default) and `form: seed` (what a widely copied collection of\n\
         PyTorch losses computes, mistakes included); the documentation of each says how they differ. Pixels labelled 255 take no part.\n\n\
         ```yaml\n\
         loss: dice\n\
         loss: { cross-entropy: 1, lovasz-softmax: 0.5 }\n\
         loss: { dice: { weight: { from: 1, to: 0.01 } }, boundary: { weight: { from: 0.01, to: 1 }, exclude_background: true } }\n\
         ```\n\n\
         On the command line: `--loss cross-entropy=1 --loss boundary=0.01..1 --loss 'topk{\"threshold\":0.7}=0.5'`. Compare with your own\n\
         code: `segbench parity loss dice --input in.safetensors --output out.safetensors --option average=micro`.\n\n\
         | name | loss | family | formula | options | source |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for card in segbench_losses::LOSSES {
        let defaults = card.defaults();
        let options = defaults.as_object().into_iter().flatten();
        let options: Vec<String> = options.map(|(name, value)| format!("`{name}: {value}`")).collect();
        let cells = [card.title, card.family, card.formula, &options.join(" "), card.source];
        text.push_str(&format!(
            "| `{}` | {} |\n",
            card.name,
            cells.map(|cell| cell.replace('|', "\\|").replace('"', "")).join(" | ")
        ));
    }
    text
}

fn schema() -> String {
    // A JSON value always prints.
    let mut text = serde_json::to_string_pretty(&segbench_pipeline::config::schema()).unwrap_or_default();
    text.push('\n');
    text
}
