//! Work on many items at once.

/// Applies `work` to every item, on all cores with the feature `rayon`, and keeps the order.
///
/// # Panics
///
/// If `work` panics.
pub fn parallel_map<I, T>(
    items: impl IntoIterator<Item = I>,
    work: impl Fn(I) -> T + Sync + Send,
) -> Vec<T>
where
    I: Send,
    T: Send,
{
    #[cfg(feature = "rayon")]
    {
        use rayon::prelude::*;

        let items: Vec<I> = items.into_iter().collect();
        items.into_par_iter().map(work).collect()
    }
    #[cfg(not(feature = "rayon"))]
    items.into_iter().map(work).collect()
}
