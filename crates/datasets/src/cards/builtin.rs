//! The descriptions and tables that are part of the program.

macro_rules! files {
    ($folder:literal: $($file:literal)*) => {
        &[$(($file, include_str!(concat!("../../data/", $folder, "/", $file)))),*]
    };
}

/// One description per data set.
pub(super) const DESCRIPTIONS: &[&str] = &[
    include_str!("../../data/cards/ade20k.yaml"),
    include_str!("../../data/cards/ade20k-full.yaml"),
    include_str!("../../data/cards/apsis.yaml"),
    include_str!("../../data/cards/camvid.yaml"),
    include_str!("../../data/cards/camvid-original.yaml"),
    include_str!("../../data/cards/cityscapes.yaml"),
    include_str!("../../data/cards/cityscapes-coarse.yaml"),
    include_str!("../../data/cards/gta5.yaml"),
    include_str!("../../data/cards/phantom.yaml"),
    include_str!("../../data/cards/sample.yaml"),
    include_str!("../../data/cards/synthia.yaml"),
    include_str!("../../data/cards/synthia-cvpr16.yaml"),
    include_str!("../../data/cards/synthia-seqs.yaml"),
    include_str!("../../data/cards/voc2012.yaml"),
];

/// Files that descriptions name.
const CLASSES: &[(&str, &str)] = files!("classes":
    "ade20k-150.csv" "apsis-2.csv" "camvid-11.csv" "camvid-32.csv" "cityscapes-19.csv" "synthia-22.csv" "synthia-cvpr16-12.csv"
    "synthia-seqs-13.csv" "voc-21.csv"
);
const OTHERS: &[(&str, &str)] = files!("cards":
    "ade20k-full.map.csv" "apsis.sha256" "apsis.test.txt" "apsis.train.txt" "camvid.sha256" "camvid.test.txt" "camvid.train.txt" "camvid.val.txt"
);

/// A file that a built-in description names.
pub(super) fn read_table(name: &str) -> Result<String, String> {
    let file = CLASSES.iter().chain(OTHERS).find(|(file, _)| *file == name);
    file.map(|(_, text)| (*text).to_owned()).ok_or_else(|| format!("there is no table `{name}`"))
}
