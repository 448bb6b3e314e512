//! What a customer may like, and which products many look at.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use millrace_sdk::prelude::*;
use millrace_sdk::serde_json::value::RawValue;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// What an activity says of an interest, and what is recommended.
#[derive(Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub struct Interests {
    /// By type of activity; other types say nothing. Types that a config names are added to VIEW, ADD_TO_CART and
    /// PURCHASE, or replace them.
    #[serde(deserialize_with = "over_defaults")]
    weights: BTreeMap<String, u64>,
    /// How many categories are recommended, at most.
    recommended: usize,
    /// How sure a recommendation is, as it is put out.
    confidence: f64,
}

fn over_defaults<'de, D: Deserializer<'de>>(config: D) -> Result<BTreeMap<String, u64>, D::Error> {
    let mut weights = Interests::default().weights;
    weights.extend(BTreeMap::<String, u64>::deserialize(config)?);
    Ok(weights)
}

impl Default for Interests {
    fn default() -> Self {
        let weights = [("VIEW", 1), ("ADD_TO_CART", 3), ("PURCHASE", 5)];
        let weights = weights.map(|(name, weight)| (name.to_owned(), weight)).into();
        Self { weights, recommended: 3, confidence: 0.85 }
    }
}

impl Config for Interests {
    fn validate(&self) -> Result<(), String> {
        if self.recommended == 0 {
            return Err("recommended must be 1 or more: without a category nothing is recommended".into());
        }
        if !(0.0..=1.0).contains(&self.confidence) {
            return Err("confidence must be from 0 to 1".into());
        }
        Ok(())
    }
}

/// Lets events through that say something of an interest: those with a category, of a type that has a weight over 0.
/// Without a category, the type doesn't matter.
#[transform]
pub fn interesting(event: Doc, ctx: Ctx) -> Result<Option<Unchanged>> {
    if event.str("category").is_err() {
        return Ok(None);
    }
    let kind = event.str("activityType")?;
    let weight = ctx.config::<Interests>().weights.get(&*kind).copied().unwrap_or(0);
    Ok((weight > 0).then_some(Unchanged))
}

/// What a customer is interested in: categories with their weights.
pub struct Profile;

#[aggregate]
impl Aggregate for Profile {
    type Key = String;
    type Input = Doc;
    type State = Weights;
    type Output = ProfileResult;

    fn init(_customer: &String) -> Weights {
        Weights::default()
    }

    fn add(weights: &mut Weights, _customer: &String, event: Doc, ctx: &Ctx) -> Result<()> {
        let weight = ctx.config::<Interests>().weights.get(&*event.str("activityType")?).copied().unwrap_or(0);
        let interest = weights.0.entry(event.str("category")?.into_owned()).or_default();
        *interest = interest.saturating_add(weight);
        Ok(())
    }

    fn result(weights: &Weights, customer: &String, _ctx: &Ctx) -> Result<ProfileResult> {
        Ok(ProfileResult { customer_id: customer.clone(), interests: weights.0.clone() })
    }
}

/// The weight of each category.
#[derive(Default, Serialize, Deserialize)]
pub struct Weights(BTreeMap<String, u64>);

impl State for Weights {
    const VERSION: u32 = 1;
}

/// A row of the table of profiles.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfileResult {
    customer_id: String,
    interests: BTreeMap<String, u64>,
}

/// A view is an object; whatever it lacks does no harm.
#[transform]
pub fn check(view: Doc) -> Unchanged {
    drop(view);
    Unchanged
}

/// What is recommended to a customer that looks at a product: the categories of most weight, equal ones by name.
#[join]
pub fn recommend(view: Doc, profile: ProfileResult, ctx: Ctx) -> Result<Recommendation> {
    let of_view = |name: &str| Ok::<_, Error>(view.opt::<&RawValue>(name)?.map(ToOwned::to_owned));
    let config = ctx.config::<Interests>();
    let mut categories: Vec<(String, u64)> = profile.interests.into_iter().collect();
    // The sort is stable, and the map was in the order of names.
    categories.sort_by_key(|(_, weight)| Reverse(*weight));
    categories.truncate(config.recommended);
    Ok(Recommendation {
        customer_id: profile.customer_id,
        product_id: of_view("productId")?,
        category: of_view("category")?,
        recommendations: categories.into_iter().map(|(category, _)| category).collect(),
        confidence: config.confidence,
        algorithm: "interest-profile",
    })
}

/// What [`recommend`] puts out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recommendation {
    customer_id: String,
    /// As the view has them.
    product_id: Option<Box<RawValue>>,
    category: Option<Box<RawValue>>,
    recommendations: Vec<String>,
    confidence: f64,
    algorithm: &'static str,
}

/// The view under the key of its product; under none if it has no product.
#[transform(rekey)]
pub fn by_product(view: Doc) -> Output {
    match view.str("productId") {
        Ok(product) => Output::new().key(product.into_owned()),
        Err(_) => Output::new().null_key(),
    }
}

/// The views of a product in a window.
pub struct Trending;

#[aggregate]
impl Aggregate for Trending {
    type Key = String;
    type Input = Doc;
    type State = Views;
    type Output = TrendingResult;

    fn init(_product: &String) -> Views {
        Views::default()
    }

    fn add(views: &mut Views, _product: &String, _view: Doc, _ctx: &Ctx) -> Result<()> {
        views.0 += 1;
        Ok(())
    }

    fn result(views: &Views, product: &String, ctx: &Ctx) -> Result<TrendingResult> {
        let window = ctx.in_window()?;
        Ok(TrendingResult {
            product_id: product.clone(),
            window_start: window.start,
            window_end: window.end,
            views: views.0,
        })
    }
}

/// How many views there were.
#[derive(Default, Serialize, Deserialize)]
pub struct Views(u64);

impl State for Views {
    const VERSION: u32 = 1;
}

/// What [`Trending`] puts out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrendingResult {
    product_id: String,
    window_start: i64,
    window_end: i64,
    views: u64,
}

plugin! {
    name: "recommendations",
    config: Interests,
    functions: [interesting, Profile, check, recommend, by_product, Trending]
}
