//! Amounts as Kubernetes writes them: a count or a percent.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A number of pods or a percent of the replicas (`IntOrString` in Kubernetes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "Value", try_from = "Value")]
pub enum Amount {
    /// That many pods.
    Count(u32),
    /// That many hundredths of the replicas; may pass 100 for a surge.
    Percent(u32),
}

/// Says why a text or value is no amount.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is neither a count such as 3 nor a percent such as 25%")]
pub struct AmountFault(String);

impl Amount {
    /// Says whether it is none at all.
    #[must_use]
    pub fn is_zero(self) -> bool {
        matches!(self, Self::Count(0) | Self::Percent(0))
    }

    /// Returns the number of pods out of `replicas`, percents rounded up (as maxSurge is).
    #[must_use]
    pub fn rounded_up(self, replicas: u32) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => {
                narrow((u64::from(replicas) * u64::from(percent)).div_ceil(100))
            }
        }
    }

    /// Returns the number of pods out of `replicas`, percents rounded down (as maxUnavailable is).
    #[must_use]
    pub fn rounded_down(self, replicas: u32) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => narrow(u64::from(replicas) * u64::from(percent) / 100),
        }
    }
}

fn narrow(wide: u64) -> u32 {
    u32::try_from(wide).unwrap_or(u32::MAX)
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl FromStr for Amount {
    type Err = AmountFault;

    fn from_str(text: &str) -> Result<Self, AmountFault> {
        let fault = || AmountFault(text.to_owned());
        let digits = text.strip_suffix('%').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(fault());
        }
        let number = digits.parse().map_err(|_| fault())?;
        Ok(if digits.len() == text.len() {
            Self::Count(number)
        } else {
            Self::Percent(number)
        })
    }
}

impl From<Amount> for Value {
    fn from(amount: Amount) -> Self {
        match amount {
            Amount::Count(count) => count.into(),
            Amount::Percent(percent) => format!("{percent}%").into(),
        }
    }
}

impl TryFrom<Value> for Amount {
    type Error = AmountFault;

    fn try_from(value: Value) -> Result<Self, AmountFault> {
        match &value {
            Value::String(text) => text.parse(),
            Value::Number(number) => number
                .as_u64()
                .and_then(|n| u32::try_from(n).ok())
                .map(Self::Count)
                .ok_or_else(|| AmountFault(value.to_string())),
            _ => Err(AmountFault(value.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percents_round_up_for_surge_and_down_for_unavailable() {
        let quarter: Amount = "25%".parse().unwrap();
        assert_eq!((quarter.rounded_up(3), quarter.rounded_down(3)), (1, 0));
        assert_eq!((quarter.rounded_up(10), quarter.rounded_down(10)), (3, 2));
        assert_eq!(Amount::Percent(100).rounded_up(u32::MAX), u32::MAX);
    }

    #[test]
    fn only_counts_and_percents_are_amounts() {
        for text in ["", "%", "-1", "+1", "1.5", "10 %", "ten", "99999999999"] {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
        assert_eq!("7".parse::<Amount>().unwrap(), Amount::Count(7));
    }
}
