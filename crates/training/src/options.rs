//! The recipe of a training.

use segbench_losses::RecipeOptions;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Everything that determines a trained network, beside the model, the data set and the seed's own meaning.
///
/// The defaults train SegFormer from random values on a small data set. Where mmsegmentation's recipe for pre-trained SegFormer
/// differs, the field says so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainOptions {
    /// Optimizer steps. Default 4000; mmsegmentation 160000.
    pub steps: u64,
    /// Images per step. Default 4; mmsegmentation 16 (ADE20K) or 8 (Cityscapes).
    pub batch: usize,
    /// Height and width of a training crop in pixels, multiples of 32. Default 256 x 512.
    pub crop: [u32; 2],
    /// Slices of a training crop of a volume; `crop` bounds its height and width, and a crop is never larger than the largest volume.
    /// Default 32.
    pub crop_depth: u32,
    /// Lowest and highest factor of the random resize, relative to the image's own size. Default 0.5 to 2, as mmsegmentation.
    pub scale: [f32; 2],
    /// Probability of a horizontal flip. Default 0.5.
    pub flip: f32,
    /// Whether brightness, contrast, saturation and hue change at random. Default true.
    pub jitter: bool,
    /// A crop is drawn again if one class holds this part of it. Default 0.75.
    pub category_max_ratio: f32,
    /// The losses with their weights and options. Default `cross-entropy`.
    pub loss: RecipeOptions,
    /// Weights of the classes in the loss. Default none.
    pub class_weights: Option<ClassWeights>,
    /// Highest learning rate. Default 1e-3, for random initial values; mmsegmentation 6e-5, for a pre-trained encoder.
    pub learning_rate: f64,
    /// Factor on the learning rate of the decode head. Default 1; mmsegmentation 10, for a pre-trained encoder.
    pub head_lr_multiplier: f64,
    /// Decoupled weight decay of all tensors but biases and the parameters of normalizations. Default 0.01.
    pub weight_decay: f64,
    /// Decay rates of AdamW's first and second moments. Default 0.9 and 0.999.
    pub betas: [f64; 2],
    /// Steps over which the learning rate rises linearly from 1e-6 of its value. Default 100; mmsegmentation 1500.
    pub warmup_steps: u64,
    /// Exponent of the decay `(1 - step / steps) ^ power` after the warm-up. Default 1.
    pub poly_power: f64,
    /// Norm to which the gradient of all parameters together is clipped; none for no clipping. Default 1; mmsegmentation none.
    pub grad_clip: Option<f64>,
    /// Seed of initial values, order of images, augmentation and dropout. Default 0.
    pub seed: u64,
    /// Steps between two validations; 0 validates after the last step only. Default 500.
    pub validate_every: u64,
    /// Steps between two checkpoints; 0 writes one after the last step only. Default 200.
    pub checkpoint_every: u64,
    /// Steps between two lines of the log. Default 10.
    pub log_every: u64,
    /// Decoded images stay in memory if the train split needs no more than this, in MiB. Default 1024.
    pub cache_mib: u64,
}

/// Weights of the classes in the loss, and the scheme they were computed with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassWeights {
    /// Name of the scheme, such as `enet`.
    pub scheme: String,
    /// One weight per class, in train-id order, finite and not negative.
    pub weights: Vec<f32>,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            steps: 4000,
            batch: 4,
            crop: [256, 512],
            crop_depth: 32,
            scale: [0.5, 2.0],
            flip: 0.5,
            jitter: true,
            category_max_ratio: 0.75,
            loss: RecipeOptions::of("cross-entropy"),
            class_weights: None,
            learning_rate: 1e-3,
            head_lr_multiplier: 1.0,
            weight_decay: 0.01,
            betas: [0.9, 0.999],
            warmup_steps: 100,
            poly_power: 1.0,
            grad_clip: Some(1.0),
            seed: 0,
            validate_every: 500,
            checkpoint_every: 200,
            log_every: 10,
            cache_mib: 1024,
        }
    }
}

impl TrainOptions {
    /// Checks every field for a network that tells `classes` classes apart.
    ///
    /// # Errors
    /// [`Error::Options`] with all problems at once.
    pub fn validate(&self, classes: usize) -> Result<(), Error> {
        let mut problems = Vec::new();
        let mut require = |holds: bool, problem: String| {
            if !holds {
                problems.push(problem);
            }
        };
        let positive = |value: f64| value.is_finite() && value > 0.0;
        require(self.steps > 0, "`steps` is 0".into());
        require(self.batch > 0, "`batch` is 0".into());
        let [height, width] = self.crop;
        require(
            height > 0 && width > 0 && height % 32 == 0 && width % 32 == 0,
            format!("`crop` is {height} x {width}, expected multiples of 32"),
        );
        require(self.crop_depth > 0, "`crop_depth` is 0".into());
        let [low, high] = self.scale;
        require(
            low > 0.0 && low <= high && high.is_finite(),
            format!("`scale` is {low} to {high}, expected 0 < low <= high"),
        );
        require((0.0..=1.0).contains(&self.flip), format!("`flip` is {}, expected 0 to 1", self.flip));
        require(
            self.category_max_ratio > 0.0 && self.category_max_ratio <= 1.0,
            format!("`category_max_ratio` is {}, expected above 0 and up to 1", self.category_max_ratio),
        );
        match self.loss.build(Some(classes)) {
            Err(err) => require(false, format!("`loss`: {err}")),
            Ok(recipe) => require(
                !recipe.needs().class_weights || self.class_weights.is_some(),
                format!("`loss` is `{}`, which needs `class_weights`", self.loss),
            ),
        }
        if let Some(given) = &self.class_weights {
            let (got, scheme) = (given.weights.len(), &given.scheme);
            require(got == classes, format!("`class_weights` has {got} weights for {classes} classes"));
            let usable = given.weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0);
            require(usable, format!("a weight of `class_weights` ({scheme}) is negative or not finite"));
        }
        require(
            positive(self.learning_rate),
            format!("`learning_rate` is {}, expected above 0", self.learning_rate),
        );
        require(
            positive(self.head_lr_multiplier),
            format!("`head_lr_multiplier` is {}, expected above 0", self.head_lr_multiplier),
        );
        require(
            self.weight_decay.is_finite() && self.weight_decay >= 0.0,
            format!("`weight_decay` is {}, expected 0 or more", self.weight_decay),
        );
        let [first, second] = self.betas;
        require(
            (0.0..1.0).contains(&first) && (0.0..1.0).contains(&second),
            format!("`betas` are {first} and {second}, expected 0 or more and below 1"),
        );
        require(
            self.poly_power.is_finite() && self.poly_power >= 0.0,
            format!("`poly_power` is {}, expected 0 or more", self.poly_power),
        );
        if let Some(norm) = self.grad_clip {
            require(positive(norm), format!("`grad_clip` is {norm}, expected above 0"));
        }
        require(self.log_every > 0, "`log_every` is 0".into());
        if problems.is_empty() { Ok(()) } else { Err(Error::Options { problems }) }
    }

    /// The options with those fields that change no weight set alike: two trainings whose results are equal compare equal.
    pub(crate) fn of_the_weights(&self) -> Self {
        Self { validate_every: 0, checkpoint_every: 0, log_every: 1, cache_mib: 0, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_are_named_at_once() {
        let options = TrainOptions {
            steps: 0,
            crop: [100, 64],
            betas: [0.9, 1.0],
            loss: RecipeOptions::of("dise"),
            class_weights: Some(ClassWeights { scheme: "enet".into(), weights: vec![1.0, f32::NAN] }),
            ..TrainOptions::default()
        };
        let refused = options.validate(3).expect_err("wrong").to_string();
        for field in
            ["`steps`", "`crop` is 100 x 64", "`betas`", "`dise`", "2 weights for 3 classes", "not finite"]
        {
            assert!(refused.contains(field), "{field}: {refused}");
        }
        assert!(TrainOptions::default().validate(19).is_ok());
        let unweighted =
            TrainOptions { loss: RecipeOptions::of("weighted-cross-entropy"), ..TrainOptions::default() };
        let refused = unweighted.validate(3).expect_err("no weights").to_string();
        assert!(refused.contains("needs `class_weights`"), "{refused}");
    }

    #[test]
    fn unknown_fields_are_refused_and_absent_ones_take_their_default() {
        let options: TrainOptions = serde_json::from_str(r#"{"steps": 7}"#).expect("valid");
        assert_eq!(options, TrainOptions { steps: 7, ..TrainOptions::default() });
        assert!(serde_json::from_str::<TrainOptions>(r#"{"step": 7}"#).is_err());
    }
}
