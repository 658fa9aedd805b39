//! Which images are decoded in locked-down processes.

/// The policy of an operator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum DecodeIsolation {
    /// Every image.
    All,
    /// Those of formats whose decoders may abort or hang.
    #[default]
    Risky,
    /// None: those formats are refused.
    Off,
}

impl DecodeIsolation {
    pub const ALL: [Self; 3] = [Self::All, Self::Risky, Self::Off];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Risky => "risky",
            Self::Off => "off",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected all, risky or off")]
pub struct UnknownDecodeIsolation;

impl std::str::FromStr for DecodeIsolation {
    type Err = UnknownDecodeIsolation;

    /// Case does not matter.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = text.to_ascii_lowercase();
        let mut all = Self::ALL.into_iter();
        all.find(|policy| policy.as_str() == word)
            .ok_or(UnknownDecodeIsolation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_is_read_back_from_its_word() {
        for policy in DecodeIsolation::ALL {
            assert_eq!(policy.as_str().parse(), Ok(policy));
        }
        assert_eq!("ALL".parse(), Ok(DecodeIsolation::All));
        let wrong = "none".parse::<DecodeIsolation>().unwrap_err();
        assert_eq!(wrong.to_string(), "expected all, risky or off");
    }
}
