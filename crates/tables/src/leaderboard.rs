//! `leaderboard.csv`: one row per run and protocol, with columns that stay the same from version to version.

use crate::Table;

/// One line of the leaderboard. A field is `None` where nothing was measured or nothing is known; its cell is then empty.
///
/// Fields hold their value in the unit of the column: **every score is in percent**, not a fraction.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LeaderboardRow {
    /// Place by mIoU, from 1; it restarts for each (dataset, split, protocol, hardware, device, dtype).
    pub rank: Option<u64>,
    /// Architecture with preset, such as `segformer-b0`.
    pub model: String,
    /// Tag or file name of the weights.
    pub weights: String,
    /// Data set the weights were trained on.
    pub train_dataset: Option<String>,
    /// Losses of the training with their weights, such as `cross-entropy=1`.
    pub loss: Option<String>,
    /// Class-weight scheme of the training.
    pub class_weights: Option<String>,
    /// Optimizer steps of the training.
    pub train_steps: Option<u64>,
    /// Seed of the training.
    pub seed: Option<u64>,
    /// Data set evaluated on.
    pub dataset: String,
    /// Split evaluated on.
    pub split: String,
    /// How predictions were made and scored, such as `mmseg-whole@1`.
    pub protocol: String,
    /// Images evaluated.
    pub images: Option<u64>,
    /// Mean IoU over classes, in percent.
    pub miou: Option<f64>,
    /// Lower end of the 95 % interval of `miou`, in percent.
    pub miou_low: Option<f64>,
    /// Upper end of the 95 % interval of `miou`, in percent.
    pub miou_high: Option<f64>,
    /// Letters of the models that a paired test cannot tell apart.
    pub group: Option<String>,
    /// Correct pixels among labelled pixels, in percent.
    pub pixel_accuracy: Option<f64>,
    /// Mean recall over classes (mmsegmentation's mAcc), in percent.
    pub mean_recall: Option<f64>,
    /// Mean precision over classes, in percent.
    pub mean_precision: Option<f64>,
    /// Mean Dice coefficient over classes, in percent.
    pub mean_dice: Option<f64>,
    /// IoU weighted with the classes' shares of the labelled pixels, in percent.
    pub fw_iou: Option<f64>,
    /// Mean IoU within a band along class boundaries, in percent.
    pub boundary_iou: Option<f64>,
    /// Trainable parameters.
    pub parameters: Option<u64>,
    /// Multiply-adds for one image of `input_size`, in units of 10^9.
    pub gmacs: Option<f64>,
    /// `cpu`, `cuda` or `metal`.
    pub device: String,
    /// Processor or GPU by its own name.
    pub hardware: String,
    /// Threads used.
    pub threads: Option<u64>,
    /// Number format of weights and activations, such as `f32`.
    pub dtype: String,
    /// Height and width of the network's input in the speed pass, such as `512x1024`.
    pub input_size: Option<String>,
    /// Images per query in the speed pass.
    pub batch: Option<u64>,
    /// Median latency of a query, in milliseconds.
    pub latency_p50_ms: Option<f64>,
    /// 90th percentile of the latency, in milliseconds; empty if too few queries were measured.
    pub latency_p90_ms: Option<f64>,
    /// 99th percentile of the latency, in milliseconds; empty if too few queries were measured.
    pub latency_p99_ms: Option<f64>,
    /// Images per second at the median latency.
    pub images_per_second: Option<f64>,
    /// Peak memory in MiB: resident set on the CPU, the allocator's peak on a device.
    pub peak_memory_mib: Option<f64>,
    /// `VALID`, or `INVALID` with the reasons, of the speed pass.
    pub validity: Option<String>,
    /// Published mIoU of the same weights under the same protocol, in percent.
    pub published_miou: Option<f64>,
    /// `miou` minus `published_miou`, in percentage points.
    pub delta: Option<f64>,
    /// What `delta` means, in one word.
    pub verdict: Option<String>,
    /// The run's folder below `reports/runs`.
    pub run_id: String,
}

/// The leaderboard in the order of `rows`.
///
/// # Units
/// Scores in percent with two decimals, multiply-adds and times with three, throughput with two, memory with one. Parquet keeps
/// every number in full.
pub fn leaderboard_table(rows: &[LeaderboardRow]) -> Table {
    let required =
        |get: fn(&LeaderboardRow) -> &String| rows.iter().map(|row| Some(get(row).clone())).collect();
    let text =
        |get: fn(&LeaderboardRow) -> &Option<String>| rows.iter().map(|row| get(row).clone()).collect();
    let count = |get: fn(&LeaderboardRow) -> Option<u64>| rows.iter().map(get).collect();
    let number = |get: fn(&LeaderboardRow) -> Option<f64>| rows.iter().map(get).collect();
    let (score, time) = (Some(2), Some(3));
    Table::new()
        .integer("rank", count(|row| row.rank))
        .text("model", required(|row| &row.model))
        .text("weights", required(|row| &row.weights))
        .text("train_dataset", text(|row| &row.train_dataset))
        .text("loss", text(|row| &row.loss))
        .text("class_weights", text(|row| &row.class_weights))
        .integer("train_steps", count(|row| row.train_steps))
        .integer("seed", count(|row| row.seed))
        .text("dataset", required(|row| &row.dataset))
        .text("split", required(|row| &row.split))
        .text("protocol", required(|row| &row.protocol))
        .integer("images", count(|row| row.images))
        .float("miou", score, number(|row| row.miou))
        .float("miou_low", score, number(|row| row.miou_low))
        .float("miou_high", score, number(|row| row.miou_high))
        .text("group", text(|row| &row.group))
        .float("pixel_accuracy", score, number(|row| row.pixel_accuracy))
        .float("mean_recall", score, number(|row| row.mean_recall))
        .float("mean_precision", score, number(|row| row.mean_precision))
        .float("mean_dice", score, number(|row| row.mean_dice))
        .float("fw_iou", score, number(|row| row.fw_iou))
        .float("boundary_iou", score, number(|row| row.boundary_iou))
        .integer("parameters", count(|row| row.parameters))
        .float("gmacs", time, number(|row| row.gmacs))
        .text("device", required(|row| &row.device))
        .text("hardware", required(|row| &row.hardware))
        .integer("threads", count(|row| row.threads))
        .text("dtype", required(|row| &row.dtype))
        .text("input_size", text(|row| &row.input_size))
        .integer("batch", count(|row| row.batch))
        .float("latency_p50_ms", time, number(|row| row.latency_p50_ms))
        .float("latency_p90_ms", time, number(|row| row.latency_p90_ms))
        .float("latency_p99_ms", time, number(|row| row.latency_p99_ms))
        .float("images_per_second", Some(2), number(|row| row.images_per_second))
        .float("peak_memory_mib", Some(1), number(|row| row.peak_memory_mib))
        .text("validity", text(|row| &row.validity))
        .float("published_miou", score, number(|row| row.published_miou))
        .float("delta", score, number(|row| row.delta))
        .text("verdict", text(|row| &row.verdict))
        .text("run_id", required(|row| &row.run_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_the_documented_schema() {
        let expected = "rank,model,weights,train_dataset,loss,class_weights,train_steps,seed,dataset,split,protocol,images,miou,\
                        miou_low,miou_high,group,pixel_accuracy,mean_recall,mean_precision,mean_dice,fw_iou,boundary_iou,\
                        parameters,gmacs,device,hardware,threads,dtype,input_size,batch,latency_p50_ms,latency_p90_ms,\
                        latency_p99_ms,images_per_second,peak_memory_mib,validity,published_miou,delta,verdict,run_id\n";
        assert_eq!(leaderboard_table(&[]).to_csv(), expected);
    }

    #[test]
    fn every_value_lands_in_the_column_of_its_name_and_the_rest_stays_empty() {
        let row = LeaderboardRow {
            rank: Some(1),
            model: "segformer-b0".into(),
            weights: "segformer-b0.sample".into(),
            seed: Some(u64::MAX),
            dataset: "sample".into(),
            split: "val".into(),
            protocol: "mmseg-whole@1".into(),
            images: Some(16),
            miou: Some(76.538),
            delta: Some(-0.002),
            gmacs: Some(7.918_4),
            device: "cpu".into(),
            hardware: "AMD EPYC, 2 cores".into(),
            dtype: "f32".into(),
            latency_p50_ms: Some(12.345_6),
            run_id: "0123456789ab".into(),
            ..LeaderboardRow::default()
        };
        let csv = leaderboard_table(&[row]).to_csv();
        let expected = "1,segformer-b0,segformer-b0.sample,,,,,18446744073709551615,sample,val,mmseg-whole@1,16,76.54,,,,,,,,,,,7.918,\
                        cpu,\"AMD EPYC, 2 cores\",,f32,,,12.346,,,,,,,0.00,,0123456789ab";
        assert_eq!(csv.lines().nth(1), Some(expected));
    }
}
