//! The split of records between the active version of a plugin and a canary: by a hash of the key, so that a key is
//! processed by one version, whatever process has its partition. As the share grows, no key goes back.

use std::collections::BTreeMap;

use crate::partitioner::murmur2;
use crate::ports::DeploymentId;

/// All keys, in hundredths of a percent.
pub const ALL: u32 = 10_000;

/// A version that processes the records of some keys in place of the active one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    /// Its number in [`Logic`](crate::logic::Logic).
    pub id: DeploymentId,
    /// Its generation.
    pub generation: u32,
    /// Digest of its component, for dead letters.
    pub digest: String,
    /// The share of keys, in hundredths of a percent.
    pub weight: u32,
    /// Its functions, by the index of the active version's.
    pub functions: BTreeMap<u32, CanaryFunction>,
}

/// A function of a canary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanaryFunction {
    /// Its index in the manifest.
    pub function: u32,
    /// For each of its ports, the index of the active version's port of that name.
    pub ports: Vec<u32>,
}

impl Canary {
    /// Whether it processes the records with this key. Those without a key stay with the active version.
    pub fn takes(&self, key: Option<&[u8]>) -> bool {
        key.is_some_and(|key| is_in_share(key, self.generation, self.weight))
    }
}

/// Whether a key is in a share of all keys, in hundredths of a percent. `salt` makes shares of different deployments
/// independent of each other.
pub fn is_in_share(key: &[u8], salt: u32, share: u32) -> bool {
    // The partition depends on the same hash: mixed anew, each partition has its share.
    mixed(u64::from(murmur2(key)) | u64::from(salt) << 32) % u64::from(ALL) < u64::from(share)
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators).
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partitioner::partition_of;

    #[test]
    fn a_share_of_keys_is_exact_within_a_point_in_each_partition_and_grows() {
        let keys: Vec<_> = (0..100_000_u64).map(|number| format!("customer-{number}").into_bytes()).collect();
        for salt in [1, 2, 77] {
            for (share, percent) in [(500, 5.0), (2_500, 25.0), (9_000, 90.0)] {
                for partition in [None, Some(0), Some(3)] {
                    let of_partition = |key: &&Vec<u8>| {
                        partition.is_none_or(|partition| partition_of(Some(key.as_slice()), 0, 6) == partition)
                    };
                    let keys: Vec<_> = keys.iter().filter(of_partition).collect();
                    let taken = keys.iter().filter(|key| is_in_share(key, salt, share)).count();
                    let found = 100.0 * taken as f64 / keys.len() as f64;
                    assert!((found - percent).abs() < 1.0, "{found}% of {partition:?} for {percent}%");
                }
                assert!(keys.iter().all(|key| !is_in_share(key, salt, share) || is_in_share(key, salt, share + 500)));
            }
        }
        assert!(keys.iter().all(|key| is_in_share(key, 1, ALL) && !is_in_share(key, 1, 0)));
    }
}
