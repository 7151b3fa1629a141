# List the recipes.
default:
    @just --list --unsorted

bin := "cargo run --quiet --bin segbench --"

# Convert a data set's official archives: just prepare cityscapes
prepare dataset *flags:
    {{bin}} prepare {{dataset}} {{flags}}

# Class frequencies and weights: just class-weights cityscapes
class-weights dataset *flags:
    {{bin}} class-weights {{dataset}} {{flags}}

# Distance maps of every class, an array per image: just distances cityscapes
distances dataset *flags:
    {{bin}} distances {{dataset}} {{flags}}

# Train a network: just train segformer camvid
train model dataset *flags:
    {{bin}} train {{model}} --dataset {{dataset}} {{flags}}

# Measure accuracy and speed: just bench segformer
bench +models:
    {{bin}} bench {{models}}

# Score any program's label PNGs: just evaluate --predictions DIR --dataset camvid
evaluate *flags:
    {{bin}} evaluate {{flags}}

# Write the leaderboard of all runs: just report
report *flags:
    {{bin}} report {{flags}}

# Everything in pipeline.yaml: just run
run *flags:
    {{bin}} run {{flags}}

# Say what pipeline.yaml would do: just check
check *flags:
    {{bin}} check {{flags}}

# From nothing to a leaderboard, on the built-in sample. The first build takes minutes and shows its progress.
demo *flags:
    cargo run --bin segbench -- run pipeline.yaml {{flags}}

# Any other command: just segbench list models
segbench *arguments:
    {{bin}} {{arguments}}

# The binary with NVIDIA devices; needs the CUDA toolkit.
build-cuda:
    cargo build --release --features cuda --bin segbench

# The binary with Apple devices.
build-metal:
    cargo build --release --features metal --bin segbench

# All tests.
test *flags:
    cargo test --workspace {{flags}}

# Format, lint, docs.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Regenerate schemas and documentation tables.
generate:
    cargo run --quiet -p segbench-xtask -- generate
