//! Distance maps in `pipeline.yaml`.

use std::str::FromStr;

use schemars::JsonSchema;
use segbench_targets::DistanceMap;
use segbench_types::nearest;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Which distance maps are stored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DistancesConfig {
    /// Which distances. Default: `signed`.
    #[serde(default)]
    pub kind: DistanceKind,
    /// Splits. Default: all that have labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub splits: Vec<String>,
}

/// What a stored map holds, with the distance `d` from a pixel to the nearest one on the other side of its class's border.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DistanceKind {
    /// `d` outside of the class, `-d` inside.
    #[default]
    Signed,
    /// `d` on both sides.
    Unsigned,
    /// `max(d) - d` on each side: large on the border.
    Penalty,
}

impl DistanceKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Signed, Self::Unsigned, Self::Penalty];

    /// The name in commands and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Unsigned => "unsigned",
            Self::Penalty => "penalty",
        }
    }

    /// The map that is computed.
    pub fn map(self) -> DistanceMap {
        match self {
            Self::Signed => DistanceMap::Signed,
            Self::Unsigned => DistanceMap::Unsigned,
            Self::Penalty => DistanceMap::Penalty,
        }
    }
}

impl FromStr for DistanceKind {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let names = Self::ALL.map(Self::name);
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| Error::Usage {
            message: format!("unknown kind of distances `{name}`"),
            help: match nearest(name, names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known: {}", names.join(", ")),
            },
        })
    }
}
