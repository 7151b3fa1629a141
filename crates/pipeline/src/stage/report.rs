//! The leaderboard of all runs.

use segbench_report::{Format, Report};
use segbench_types::Progress;

use super::{Outcome, Stage};
use crate::{Error, Project};

/// Writes the report.
#[derive(Debug, Clone)]
pub struct ReportStage {
    /// Which files.
    pub formats: Vec<String>,
}

impl ReportStage {
    /// Builds the report and says what is in it.
    ///
    /// # Errors
    /// [`Error::Report`] if there is no run yet or a file cannot be written, [`Error::Usage`] for an unknown format.
    pub fn build(&self, project: &Project) -> Result<Report, Error> {
        let formats: Vec<Format> =
            self.formats.iter().map(|name| Format::parse(name)).collect::<Result<_, _>>()?;
        segbench_storage::remove_abandoned(&project.reports)?;
        Ok(segbench_report::build(&project.runs_dir(), &project.reports, &formats)?)
    }
}

impl Stage for ReportStage {
    fn name(&self) -> String {
        "report".into()
    }

    fn reads(&self, project: &Project) -> Vec<String> {
        vec![project.runs_dir().display().to_string()]
    }

    fn writes(&self, project: &Project) -> Vec<String> {
        let extension = |format: &String| match format.as_str() {
            "markdown" => "md".to_owned(),
            "latex" => "tex".to_owned(),
            same => same.to_owned(),
        };
        let file = |format| {
            project.reports.join("leaderboard").with_extension(extension(format)).display().to_string()
        };
        self.formats.iter().map(file).collect()
    }

    fn needs(&self, _: &Project) -> Vec<String> {
        Vec::new()
    }

    fn run(&self, project: &Project, progress: &dyn Progress) -> Result<Outcome, Error> {
        let report = self.build(project)?;
        for note in &report.notes {
            progress.note(note);
        }
        let files: Vec<String> = report.files.iter().map(|file| file.display().to_string()).collect();
        Ok(Outcome::Done(format!("{} rows: {}", report.rows.len(), files.join(", "))))
    }
}
