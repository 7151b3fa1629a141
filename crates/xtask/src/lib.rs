//! What is derived from the code and committed beside it, so that a reader finds it without running anything.

/// Path below the repository and contents of every generated file.
pub fn generated() -> Vec<(&'static str, String)> {
    vec![("schemas/pipeline.schema.json", schema())]
}

fn schema() -> String {
    // A JSON value always prints.
    let mut text = serde_json::to_string_pretty(&segbench_pipeline::config::schema()).unwrap_or_default();
    text.push('\n');
    text
}
