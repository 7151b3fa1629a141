//! Reading and checking `pipeline.yaml`.

use std::path::Path;

use segbench_targets::Scheme;
use segbench_types::{Explain, Protocol, nearest};

use super::{BenchConfig, Config, Problem, RunConfig, TrainConfig};
use crate::Error;

const FORMATS: [&str; 6] = ["csv", "html", "json", "latex", "markdown", "parquet"];

impl Default for Config {
    fn default() -> Self {
        Self {
            version: 1,
            datasets: Default::default(),
            targets: Default::default(),
            runs: Vec::new(),
            report: Default::default(),
            addresses: Default::default(),
        }
    }
}

impl Config {
    /// Reads a file and applies `key=value` overrides such as `datasets.sample.draw.train=500`.
    ///
    /// # Errors
    /// [`Error::Storage`] if the file cannot be read, [`Error::Yaml`] if it has the wrong shape, [`Error::Problems`] with everything
    /// that is wrong with its values.
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self, Error> {
        Self::parse(&segbench_storage::read_to_string(path)?, &path.display().to_string(), overrides)
    }

    /// The same from text; `name` stands for the file in messages.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(text: &str, name: &str, overrides: &[String]) -> Result<Self, Error> {
        let wrong = |err: serde_yaml::Error| Error::Yaml {
            file: name.to_owned(),
            message: explain(&err.to_string()),
        };
        let config: Self = if overrides.is_empty() {
            // Read from the text itself, so that messages carry line and column.
            serde_yaml::from_str(text).map_err(wrong)?
        } else {
            let mut value: serde_yaml::Value = serde_yaml::from_str(text).map_err(wrong)?;
            for item in overrides {
                set(&mut value, item)?;
            }
            // What is wrong in the text itself is told with line and column.
            let read = serde_yaml::from_value(value);
            read.map_err(|err| wrong(serde_yaml::from_str::<Self>(text).err().unwrap_or(err)))?
        };
        let problems = config.validate();
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(Error::Problems { file: name.to_owned(), problems })
        }
    }

    /// Everything that is wrong with the values, with the path of each.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.version != 1 {
            problems.push(Problem::new(
                "version",
                format!("got {}, this segbench reads version 1", self.version),
            ));
        }
        for (name, dataset) in &self.datasets {
            let path = format!("datasets.{name}");
            // What a description says is known when it is read.
            if dataset.describe.is_none() {
                check_dataset(&path, name, &mut problems);
            }
            if name != "sample" && dataset.draw.is_some() {
                problems.push(Problem::new(format!("{path}.draw"), "only the data set `sample` is drawn"));
            }
            for (index, split) in dataset.splits.iter().enumerate() {
                self.check_split(&format!("{path}.splits[{index}]"), name, split, &mut problems);
            }
        }
        for (index, scheme) in
            self.targets.class_weights.iter().flat_map(|weights| &weights.schemes).enumerate()
        {
            check_scheme(&format!("targets.class_weights.schemes[{index}]"), scheme, &mut problems);
        }
        if let Some(Err(err)) = self.targets.class_weights.as_ref().map(|weights| weights.adjustment()) {
            problems.push(Problem::new("targets.class_weights", with_help(&err)));
        }
        for (index, split) in self.targets.distances.iter().flat_map(|maps| &maps.splits).enumerate() {
            for name in self.datasets.keys() {
                self.check_split(&format!("targets.distances.splits[{index}]"), name, split, &mut problems);
            }
        }
        for (index, run) in self.runs.iter().enumerate() {
            self.check_run(&format!("runs[{index}]"), run, &mut problems);
        }
        for (from, to) in &self.addresses {
            let is_address = |text: &str| text.starts_with("http://") || text.starts_with("https://");
            if !is_address(from) || !is_address(to) {
                let reason = format!("got `{from}: {to}`, expected two beginnings of addresses");
                problems.push(Problem::new("addresses", reason));
            }
        }
        for (index, format) in self.report.formats.iter().enumerate() {
            if !FORMATS.contains(&format.as_str()) {
                problems.push(Problem::unknown(
                    format!("report.formats[{index}]"),
                    "format",
                    format,
                    FORMATS,
                ));
            }
        }
        problems
    }

    fn check_run(&self, path: &str, run: &RunConfig, problems: &mut Vec<Problem>) {
        if let Err(err) = segbench_models::zoo::find(&run.model) {
            problems.push(Problem::new(format!("{path}.model"), with_help(&err)));
        }
        if run.weights.is_none() && run.train.is_none() && run.bench.is_some() {
            problems.push(Problem::new(
                path,
                "nothing says which weights to measure: give `weights` (a file or a tag) or `train`",
            ));
        }
        if run.weights.is_some() && run.train.is_some() {
            problems.push(Problem::new(
                path,
                "`weights` and `train` exclude each other: `bench` measures one or the other",
            ));
        }
        if let Some(train) = &run.train {
            self.check_train(&format!("{path}.train"), train, problems);
        }
        if let Some(bench) = &run.bench {
            self.check_bench(&format!("{path}.bench"), bench, problems);
        }
    }

    fn check_train(&self, path: &str, train: &TrainConfig, problems: &mut Vec<Problem>) {
        self.check_use(&format!("{path}.dataset"), &train.dataset, problems);
        if let Some(scheme) = &train.class_weights {
            check_scheme(&format!("{path}.class_weights"), scheme, problems);
        }
        for (key, message) in train.problems() {
            problems.push(Problem::new(format!("{path}.{key}"), message));
        }
    }

    fn check_bench(&self, path: &str, bench: &BenchConfig, problems: &mut Vec<Problem>) {
        self.check_use(&format!("{path}.dataset"), &bench.dataset, problems);
        self.check_split(&format!("{path}.split"), &bench.dataset, &bench.split, problems);
        for (index, name) in bench.protocols.iter().enumerate() {
            let place = format!("{path}.protocols[{index}]");
            if Protocol::find(name).is_err() {
                let known = Protocol::all();
                let names = known.iter().map(|protocol| protocol.name.as_str());
                problems.push(Problem::unknown(place, "protocol", name, names));
            }
        }
        if let Some(speed) = &bench.speed {
            if speed.batches.contains(&0) {
                problems
                    .push(Problem::new(format!("{path}.speed.batches"), "a batch holds at least 1 image"));
            }
            if !(speed.seconds.is_finite() && speed.seconds > 0.0) {
                problems.push(Problem::new(
                    format!("{path}.speed.seconds"),
                    "expected a positive number of seconds",
                ));
            }
        }
    }

    /// A split of a data set that the program knows; a description of the user's own is read later.
    fn check_split(&self, path: &str, dataset: &str, split: &str, problems: &mut Vec<Problem>) {
        let is_described = self.datasets.get(dataset).is_some_and(|config| config.describe.is_some());
        let Ok(card) = segbench_datasets::card(segbench_datasets::raw_name(dataset)) else { return };
        let names = card.splits.iter().map(|split| split.name.as_str());
        if !is_described && !names.clone().any(|name| name == split) {
            problems.push(Problem::unknown(path, "split", split, names));
        }
    }

    /// A run may only use data sets that the pipeline prepares.
    fn check_use(&self, path: &str, name: &str, problems: &mut Vec<Problem>) {
        if !self.datasets.contains_key(name) {
            let known = self.datasets.keys().map(String::as_str);
            problems.push(Problem::unknown(path, "data set (it must stand under `datasets`)", name, known));
        }
    }
}

/// What is wrong and what would be right, on one line.
fn with_help(err: &impl Explain) -> String {
    err.help().map_or(err.to_string(), |help| format!("{err}: {help}"))
}

fn check_dataset(path: &str, name: &str, problems: &mut Vec<Problem>) {
    // The folder of the user's descriptions is not known here; `describe` names one.
    if let Err(err) = segbench_datasets::find(name, "".as_ref()) {
        problems.push(Problem::new(path, with_help(&err)));
    }
}

fn check_scheme(path: &str, scheme: &str, problems: &mut Vec<Problem>) {
    if Scheme::parse(scheme).is_err() {
        let known = Scheme::ALL.iter().map(|scheme| scheme.name());
        problems.push(Problem::unknown(path, "class-weight scheme", scheme, known));
    }
}

/// Sets `a.b[2].c=value`, where the value is read as YAML.
fn set(root: &mut serde_yaml::Value, item: &str) -> Result<(), Error> {
    let wrong = |message: &str| Error::Override { item: item.to_owned(), message: message.to_owned() };
    let (path, value) = item.split_once('=').ok_or_else(|| wrong("expected `key=value`"))?;
    let value: serde_yaml::Value = serde_yaml::from_str(value).map_err(|err| wrong(&err.to_string()))?;
    let mut place = root;
    for key in path.replace('[', ".").replace(']', "").split('.') {
        place = if let serde_yaml::Value::Sequence(items) = place {
            let index: usize = key.parse().map_err(|_| wrong("a list takes a number"))?;
            items.get_mut(index).ok_or_else(|| wrong("the list is shorter than that"))?
        } else {
            if place.is_null() {
                *place = serde_yaml::Value::Mapping(Default::default());
            }
            let mapping = place.as_mapping_mut().ok_or_else(|| wrong("the path goes through a value"))?;
            mapping.entry(key.into()).or_insert(serde_yaml::Value::Null)
        };
    }
    *place = value;
    Ok(())
}

/// Adds a suggestion to serde's "unknown field" and "unknown variant".
fn explain(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    if !message.contains("unknown field") && !message.contains("unknown variant") {
        return message.to_owned();
    }
    match names.next().and_then(|wrong| nearest(wrong, names)) {
        Some(near) => format!("{message} (did you mean `{near}`?)"),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> String {
        match Config::parse(text, "pipeline.yaml", &[]) {
            Ok(_) => "none".into(),
            Err(Error::Problems { problems, .. }) => {
                problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
            }
            Err(err) => err.to_string(),
        }
    }

    #[test]
    fn the_shipped_pipeline_is_valid() {
        let text = include_str!("../../../../pipeline.yaml");
        assert_eq!(problems(text), "none");
    }

    #[test]
    fn an_unknown_key_is_refused_with_line_and_suggestion() {
        let message = problems("version: 1\nrnus: []\n");
        assert!(message.contains("did you mean `runs`?") && message.contains("line 2"), "{message}");
    }

    #[test]
    fn all_problems_are_reported_at_once_with_their_paths() {
        let text = "version: 2\ndatasets: { citscapes: {} }\nruns:\n  - model: segformr-b0\n    bench: { dataset: sample, split: valid }\n";
        let message = problems(text);
        for part in [
            "version:",
            "datasets.citscapes:",
            "runs[0].model: there is no model `segformr-b0`: did you mean `segformer-b0`?",
            "runs[0]: nothing says",
            "runs[0].bench.dataset:",
            "runs[0].bench.split:",
        ] {
            assert!(message.contains(part), "{part} is missing in\n{message}");
        }
    }

    #[test]
    fn overrides_reach_into_lists_and_create_what_is_missing() {
        let text = "version: 1\ndatasets: { sample: }\nruns:\n  - { model: segformer-b0, weights: x.pth }\n";
        let overrides = ["datasets.sample.draw.train=5".to_owned(), "runs[0].weights=y.pth".to_owned()];
        let config = Config::parse(text, "pipeline.yaml", &overrides).expect("valid");
        assert_eq!(config.datasets["sample"].draw.as_ref().map(|draw| draw.train), Some(5));
        assert_eq!(config.runs[0].weights.as_deref(), Some("y.pth"));
        assert!(Config::parse(text, "pipeline.yaml", &["runs[3].weights=y".to_owned()]).is_err());
    }
}
