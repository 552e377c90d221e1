//! Which point is which in a mirrored image.

/// Number of points of the scheme of iBUG.
pub const IBUG_POINTS: usize = 68;

/// Pairs of points of the scheme of iBUG that stand for left and right, from 0.
const IBUG_PAIRS: [[usize; 2]; 29] = [
    // Jaw.
    [0, 16],
    [1, 15],
    [2, 14],
    [3, 13],
    [4, 12],
    [5, 11],
    [6, 10],
    [7, 9],
    // Eyebrows.
    [17, 26],
    [18, 25],
    [19, 24],
    [20, 23],
    [21, 22],
    // Nose.
    [31, 35],
    [32, 34],
    // Eyes.
    [36, 45],
    [37, 44],
    [38, 43],
    [39, 42],
    [40, 47],
    [41, 46],
    // Mouth: outer, then inner edge of the lips.
    [48, 54],
    [49, 53],
    [50, 52],
    [55, 59],
    [56, 58],
    [60, 64],
    [61, 63],
    [65, 67],
];

/// The point that each point becomes in a mirrored image; `None` for a number of points whose scheme is not known.
///
/// ```
/// use tinderbox_datasets::flip_order;
///
/// let order = flip_order(68).unwrap();
/// assert_eq!((order[36], order[45], order[30]), (45, 36, 30));
/// assert_eq!(flip_order(5), None);
/// ```
pub fn flip_order(points: usize) -> Option<Vec<usize>> {
    if points != IBUG_POINTS {
        return None;
    }
    let mut order: Vec<usize> = (0..points).collect();
    for [left, right] in IBUG_PAIRS {
        order.swap(left, right);
    }
    Some(order)
}
