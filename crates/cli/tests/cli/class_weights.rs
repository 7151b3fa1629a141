//! `class-weights` against the lists that others published for Cityscapes.

use segbench_testkit::cityscapes;
use segbench_types::ImageRecord;

use crate::support::Place;

/// Pixels of all 2975 training images.
const ALL: u64 = 2975 * 2048 * 1024;

/// Class, its share of all pixels, and its published weights: ENet (<https://github.com/davidtvs/PyTorch-ENet>), ERFNet's decoder
/// (<https://github.com/Eromera/erfnet_pytorch>), and the inverse frequency
/// (<https://github.com/BenBausch/Depth-Semantic-UDA>). The shares are from the third and have six digits.
const PUBLISHED: [(&str, f64, [f64; 3]); 19] = [
    ("road", 0.326400, [3.36366406, 2.8149201869965, 3.063728571]),
    ("sidewalk", 0.053869, [14.04234086, 6.9850029945374, 18.563516617]),
    ("building", 0.202057, [4.9948856, 3.7890393733978, 4.949110508]),
    ("wall", 0.005802, [39.25997007, 9.9428062438965, 172.351211548]),
    ("fence", 0.007766, [36.5152765, 9.7702074050903, 128.761428833]),
    ("pole", 0.010946, [32.90667927, 9.5110931396484, 91.361610413]),
    ("traffic light", 0.001840, [46.27742179, 10.311357498169, 543.607177734]),
    ("traffic sign", 0.004880, [40.67459427, 10.026463508606, 204.906326294]),
    ("vegetation", 0.141013, [6.71150498, 4.6323022842407, 7.091544151]),
    ("terrain", 0.010250, [33.5627786, 9.5608062744141, 97.561729431]),
    ("sky", 0.035579, [18.54488148, 7.8698215484619, 28.106302261]),
    ("person", 0.010791, [32.99978951, 9.5168733596802, 92.668327332]),
    ("rider", 0.001196, [47.68372067, 10.373730659485, 835.976379395]),
    ("car", 0.061921, [12.70290829, 6.6616044044495, 16.149547577]),
    ("truck", 0.002368, [45.20793195, 10.260489463806, 422.345581055]),
    ("bus", 0.002082, [45.7834263, 10.287888526917, 480.283935547]),
    ("train", 0.002062, [45.82760469, 10.289801597595, 485.000701904]),
    ("motorcycle", 0.000873, [48.40837536, 10.405355453491, 1144.953857422]),
    ("bicycle", 0.003664, [42.76317799, 10.138095855713, 272.908599854]),
];

#[test]
fn a_manifest_with_the_published_frequencies_gives_the_published_lists() {
    let place = Place::with(&cityscapes());
    place.run(&["prepare", "cityscapes", "--source", "source"]).is(0, &[]);
    let class_pixels: Vec<u64> =
        PUBLISHED.iter().map(|(_, share, _)| (share * ALL as f64).round() as u64).collect();
    let record = ImageRecord {
        id: "aachen_000000_000019".into(),
        split: "train".into(),
        image: "images/train/aachen_000000_000019.png".into(),
        label: Some("labels/train/aachen_000000_000019.png".into()),
        width: 2048,
        height: 1024,
        image_sha256: "0".repeat(64),
        label_sha256: Some("0".repeat(64)),
        ignored_pixels: ALL - class_pixels.iter().sum::<u64>(),
        class_pixels,
    };
    let manifest = place.join("data/prepared/cityscapes/manifest.parquet");
    segbench_tables::write_manifest(&manifest, &[record]).expect("written");
    place.run(&["class-weights", "cityscapes"]).is(0, &["enet-all", "erfnet-all", "inverse-all"]);
    let csv =
        std::fs::read_to_string(place.join("data/prepared/cityscapes/class_weights.csv")).expect("read");
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<&str>>());
    let header = lines.next().expect("a header");
    let column = |name: &str| header.iter().position(|column| *column == name).expect(name);
    for ((name, _, published), line) in PUBLISHED.iter().zip(lines) {
        assert_eq!(line[column("name")], *name);
        for (scheme, published) in ["enet-all", "erfnet-all", "inverse-all"].iter().zip(published) {
            let got: f64 = line[column(scheme)].parse().expect("a number");
            assert!((got / published - 1.0).abs() < 0.01, "{name}, {scheme}: {got}, published {published}");
        }
    }
}
