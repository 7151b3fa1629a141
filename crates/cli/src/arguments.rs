//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use segbench_pipeline::config::Size;

/// From a semantic-segmentation data set's official archive to a leaderboard one can trust.
#[derive(Debug, Parser)]
#[command(name = "segbench", version, arg_required_else_help = true, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// Folder of all data.
    #[arg(long, global = true, default_value = "data", value_name = "DIR")]
    pub(crate) root: PathBuf,
    /// Configuration file; `pipeline.yaml` is read if it is there.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Change a value of the configuration, as `datasets.sample.draw.train=500`.
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Fetch nothing; a file that is missing is an error.
    #[arg(long, global = true)]
    pub(crate) offline: bool,
    /// Threads; default: all cores.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), visible_alias = "jobs")]
    pub(crate) threads: Option<u16>,
    /// Only errors on stderr.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// No progress bars.
    #[arg(long, global = true)]
    pub(crate) no_progress: bool,
    /// Print data as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List what segbench knows.
    List {
        /// What to list.
        what: Listing,
        /// Only names like this; `*` stands for anything.
        pattern: Option<String>,
    },
    /// Everything known of a model.
    Show {
        /// Architecture, with a preset or without.
        model: String,
    },
    /// Fetch a data set's archives and convert them into the common label format.
    Prepare {
        /// Data set (`segbench list datasets`), or a file that describes one; `@` and a taxonomy convert to other classes.
        dataset: String,
        /// Archive or folder to read instead of what would be fetched; repeat for several.
        #[arg(long, value_name = "FILE_OR_DIR")]
        source: Vec<PathBuf>,
        /// Split to prepare; repeat for several. Default: all.
        #[arg(long)]
        split: Vec<String>,
        /// Read, hash and decode every file of the result, and print what was found.
        #[arg(long)]
        verify: bool,
        /// What label maps are written as; grey for programs that apply a palette as they read, as OpenCV does.
        #[arg(long, value_enum)]
        label_png: Option<LabelKind>,
        /// Prepare nothing; write `*_labelTrainIds.png` beside the label files of an unpacked data set.
        #[arg(long, conflicts_with_all = ["verify", "label_png"])]
        in_place: bool,
    },
    /// Class frequencies and class weights of a prepared data set.
    ClassWeights {
        /// Data set.
        dataset: String,
        /// Scheme; repeat for several. Default: all that fit the classes.
        #[arg(long)]
        scheme: Vec<String>,
        /// Split whose labels are counted.
        #[arg(long, default_value = "train")]
        split: String,
        /// What becomes 1: `mean` over classes, mean over `pixels`, or `max`.
        #[arg(long)]
        normalize: Option<String>,
        /// The smallest and the largest weight, after scaling.
        #[arg(long, num_args = 2, value_names = ["LOW", "HIGH"])]
        clip: Option<Vec<f64>>,
    },
    /// Exact distances to the border of every class, stored as an array per image.
    Distances {
        /// Data set.
        dataset: String,
        /// Split; repeat for several. Default: all that have labels.
        #[arg(long)]
        split: Vec<String>,
        /// `signed`, `unsigned` or `penalty`.
        #[arg(long, default_value = "signed")]
        kind: String,
    },
    /// Train a network.
    Train(TrainArguments),
    /// Measure accuracy and speed.
    Bench(BenchArguments),
    /// Label images.
    Predict {
        /// Architecture, with a preset or without.
        model: String,
        /// Checkpoint file or tag.
        #[arg(long)]
        weights: String,
        /// Images, or volumes in npy files for a network of volumes.
        #[arg(required = true)]
        input: Vec<PathBuf>,
        /// Folder for the label maps: PNGs, or npy files for volumes.
        #[arg(long)]
        output: PathBuf,
        /// Device: `cpu`, `cuda`, `cuda:1`, `metal`, or `auto`.
        #[arg(long, default_value = "auto")]
        device: String,
    },
    /// Look into checkpoints.
    Weights {
        #[command(subcommand)]
        action: WeightsAction,
    },
    /// Score what any program predicted, or write it as a test server takes it.
    Evaluate(EvaluateArguments),
    /// Write the leaderboard of all runs.
    Report {
        /// Formats, separated by commas.
        #[arg(long, value_delimiter = ',', default_value = "html,csv,markdown,latex,parquet")]
        format: Vec<String>,
        /// Folder of runs and report.
        #[arg(long, default_value = "reports", value_name = "DIR")]
        output: PathBuf,
    },
    /// Compare two runs: which images and classes moved the score.
    Diff {
        /// Run to compare with: a run id, its beginning, or a run folder.
        first: String,
        /// Run to compare.
        second: String,
        /// Images to list.
        #[arg(long, default_value_t = 20, value_name = "N")]
        images: usize,
        /// Folder of runs and report.
        #[arg(long, default_value = "reports", value_name = "DIR")]
        output: PathBuf,
    },
    /// Check a run from its data to the leaderboard: every file's hash, and the counts, counted again.
    Verify {
        /// Run: a run id, its beginning, or a run folder.
        run: String,
        /// Folder of runs and report.
        #[arg(long, default_value = "reports", value_name = "DIR")]
        output: PathBuf,
    },
    /// Do everything in pipeline.yaml.
    Run {
        /// Configuration file; default: pipeline.yaml.
        file: Option<PathBuf>,
        /// Only stages whose name begins so; repeat for several.
        #[arg(long, value_name = "NAME")]
        stage: Vec<String>,
        /// Folder of runs and report.
        #[arg(long, default_value = "reports", value_name = "DIR")]
        output: PathBuf,
    },
    /// Say what pipeline.yaml would do: what each stage reads, writes and needs.
    Check {
        /// Configuration file; default: pipeline.yaml.
        file: Option<PathBuf>,
    },
    /// Say what this machine has for segbench, and what it lacks.
    Doctor {
        /// Ask every address of the data sets and checkpoints whether its file is still there.
        #[arg(long)]
        sources: bool,
    },
    /// Run one task of a plan, as a cluster's scheduler does.
    Task {
        #[command(subcommand)]
        action: TaskAction,
    },
    /// Outputs to compare with another implementation.
    Parity {
        #[command(subcommand)]
        action: ParityAction,
    },
}

/// What label maps are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LabelKind {
    /// The common label format.
    Palette,
    /// The same numbers in grey.
    Grey,
}

/// What `list` lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Listing {
    /// Data sets.
    Datasets,
    /// Models with their presets.
    Models,
    /// Losses.
    Losses,
    /// Metrics.
    Metrics,
    /// Evaluation protocols.
    Protocols,
    /// Checkpoints with a tag.
    Weights,
}

#[derive(Debug, Args)]
pub(crate) struct TrainArguments {
    /// Architecture, with a preset or without.
    pub(crate) model: String,
    /// Data set to train on.
    #[arg(long)]
    pub(crate) dataset: String,
    /// Loss: `dice`, `dice=0.5`, `boundary=0.01..1` for a weight that grows, `topk{"threshold":0.7}=1` with options.
    #[arg(long, value_name = "NAME[{OPTIONS}][=WEIGHT]")]
    pub(crate) loss: Vec<String>,
    /// Class-weight scheme.
    #[arg(long, value_name = "SCHEME")]
    pub(crate) class_weights: Option<String>,
    /// Optimizer steps.
    #[arg(long)]
    pub(crate) steps: Option<u64>,
    /// Size of the random crops, height first.
    #[arg(long, value_name = "HxW")]
    pub(crate) crop: Option<Size>,
    /// Crops per step.
    #[arg(long)]
    pub(crate) batch: Option<usize>,
    /// Highest learning rate.
    #[arg(long)]
    pub(crate) learning_rate: Option<f64>,
    /// Lowest and highest factor of the random resize.
    #[arg(long, num_args = 2, value_names = ["LOW", "HIGH"])]
    pub(crate) scale: Option<Vec<f32>>,
    /// Seed of initialization, sampling and augmentation.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Steps between two validations.
    #[arg(long)]
    pub(crate) validate_every: Option<u64>,
    /// Last part of the weights' tag.
    #[arg(long)]
    pub(crate) note: Option<String>,
    /// Go on from the checkpoint of an interrupted training with the same settings.
    #[arg(long)]
    pub(crate) resume: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    /// Architectures, with presets or without.
    #[arg(required = true)]
    pub(crate) models: Vec<String>,
    /// Data set; default: every prepared data set the model has weights for, the sample otherwise.
    #[arg(long)]
    pub(crate) dataset: Option<String>,
    /// Split.
    #[arg(long, default_value = "val")]
    pub(crate) split: String,
    /// Checkpoint file or tag.
    #[arg(long)]
    pub(crate) weights: Option<String>,
    /// Protocol; repeat for several. Default: that of the publisher for published weights, else mmseg-whole@1.
    #[arg(long)]
    pub(crate) protocol: Vec<String>,
    /// Device: `cpu`, `cuda`, `cuda:1`, `metal`, or `auto`.
    #[arg(long, default_value = "auto")]
    pub(crate) device: String,
    /// Number format.
    #[arg(long, default_value = "f32")]
    pub(crate) dtype: String,
    /// Only accuracy.
    #[arg(long, conflicts_with = "speed")]
    pub(crate) accuracy: bool,
    /// Only speed.
    #[arg(long)]
    pub(crate) speed: bool,
    /// Input size for the speed, height first; repeat for several.
    #[arg(long, value_name = "HxW")]
    pub(crate) size: Vec<Size>,
    /// Images per query for the speed; repeat for several.
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) batch: Vec<u32>,
    /// Only the first so many images.
    #[arg(long)]
    pub(crate) limit: Option<usize>,
    /// Take as long as all percentiles need, instead of keeping speed within a minute.
    #[arg(long)]
    pub(crate) full: bool,
    /// Folder of runs and report.
    #[arg(long, default_value = "reports", value_name = "DIR")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct EvaluateArguments {
    /// Folder of predictions: a label PNG or a `.npy` file of scores per class for each image.
    #[arg(long, value_name = "DIR")]
    pub(crate) predictions: PathBuf,
    /// Prepared data set to score against; behind an `@`, the classes that labels are converted to and predictions have.
    #[arg(long, required_unless_present_any = ["labels", "export"], conflicts_with = "labels")]
    pub(crate) dataset: Option<String>,
    /// Split; default: `val`, for `--export` `test`.
    #[arg(long)]
    pub(crate) split: Option<String>,
    /// Folder of ground-truth label PNGs, instead of a prepared data set.
    #[arg(long, value_name = "DIR", requires = "classes")]
    pub(crate) labels: Option<PathBuf>,
    /// Number of classes in `--labels`.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=255))]
    pub(crate) classes: Option<u16>,
    /// Value in `--labels` that is to be ignored.
    #[arg(long, default_value_t = 255)]
    pub(crate) ignore: u8,
    /// Convert labels and predictions to these classes before they are counted.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["labels", "export"])]
    pub(crate) taxonomy: Option<String>,
    /// Protocol whose scoring rule is used, or `all`.
    #[arg(long, default_value = "mmseg-whole@1")]
    pub(crate) protocol: String,
    /// How the PNGs are coded.
    #[arg(long, value_enum, default_value = "train-id")]
    pub(crate) encoding: Coding,
    /// Which dimension of `.npy` files counts the classes; default: the one with as many entries.
    #[arg(long, value_enum)]
    pub(crate) layout: Option<ArrayOrder>,
    /// Score nothing; write the predictions as this test server takes them.
    #[arg(long, value_enum, value_name = "SERVER", conflicts_with = "labels")]
    pub(crate) export: Option<Server>,
    /// What `--export` writes: a zip, or a folder if it does not end in `.zip`.
    #[arg(long, value_name = "FILE", default_value = "submission.zip", requires = "export")]
    pub(crate) output: PathBuf,
}

/// Test servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Server {
    /// That of Cityscapes: label ids in 2048x1024.
    Cityscapes,
}

/// The dimensions of an array of scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ArrayOrder {
    /// Classes, height, width.
    Chw,
    /// Height, width, classes.
    Hwc,
}

/// How predictions are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Coding {
    /// Train ids; 255 means "no class".
    TrainId,
    /// The data set's own ids.
    SourceId,
    /// The data set's colors.
    Color,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WeightsAction {
    /// Checkpoints with a tag.
    List,
    /// Fetch a published checkpoint, show its licence, and keep it under its tag.
    Fetch {
        /// Tag (`segbench list weights`).
        tag: String,
    },
    /// Names, shapes and number formats in a checkpoint.
    Inspect {
        /// Checkpoint file or tag.
        weights: String,
    },
    /// Write a checkpoint as safetensors under this project's names, with its card beside it.
    Convert {
        /// Checkpoint file or tag.
        weights: String,
        /// Architecture, with a preset or without; default: what the tag's card says.
        #[arg(long)]
        model: Option<String>,
        /// The file to write.
        #[arg(long)]
        output: PathBuf,
        /// Number format: `f32` or `f16`.
        #[arg(long, default_value = "f32", value_parser = ["f32", "f16"])]
        dtype: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TaskAction {
    /// Run one task and write its status file.
    Run {
        /// Plan file.
        #[arg(long)]
        plan: PathBuf,
        /// Index of the task.
        #[arg(long)]
        index: usize,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ParityAction {
    /// Run a network on a given input.
    Forward {
        /// Architecture, with a preset or without.
        model: String,
        /// Checkpoint file or tag.
        #[arg(long)]
        weights: String,
        /// safetensors file with `input` (B, 3, H, W) f32, already normalized.
        #[arg(long)]
        input: PathBuf,
        /// safetensors file for `logits` (and every stage with `--trace`).
        #[arg(long)]
        output: PathBuf,
        /// Write every stage, too.
        #[arg(long)]
        trace: bool,
        /// Resize the logits to the input's size.
        #[arg(long)]
        full: bool,
        /// Device by name.
        #[arg(long, default_value = "cpu")]
        device: String,
    },
    /// Compute a loss and its gradient.
    Loss {
        /// Loss by name (`segbench list losses`).
        name: String,
        /// safetensors file with `logits` (B, C, H, W), `target` (B, H, W) and, where needed, `class_weights` (C).
        #[arg(long)]
        input: PathBuf,
        /// safetensors file for `loss` and `grad`.
        #[arg(long)]
        output: PathBuf,
        /// An option of the loss, such as `form=seed`.
        #[arg(long = "option", value_name = "KEY=VALUE")]
        options: Vec<String>,
        /// Device by name.
        #[arg(long, default_value = "cpu")]
        device: String,
    },
}
