import LinearAlgebra
import Tensors

/// One system of the facts of all parts of a tensor.
///
/// Its Gram matrix is put together from blocks of which some are exact and some are made of rounded factors. A true
/// one,
///
///     G = B C B^T,
///
/// has no negative eigenvalue, so that G + lambda I can be solved for every lambda above zero. Two things keep that
/// true:
///
/// - Facts of different patches with the same key, as two about one subject have it, differ in B by rounding at most.
///   They get the direction of the first of them, and with it its row and column of G: between them there is nothing to
///   solve, and a difference that is only rounding would be multiplied by 1 / lambda.
/// - What is left of G is replaced by its positive part where it is not positive.
struct JointSystem {
  /// In the order of the parts.
  let system: GramSystem
  /// For each fact the one whose direction it has: itself, or one of an earlier part.
  let directions: [Int]

  /// Measured in float32 along different batches, keys that are the same differ by this share.
  private static let measurement = 1e-5

  /// A kept fact: its part, and its place there.
  private typealias Place = (part: Int, fact: Int)

  /// - Parameter kept: for every part the positions of its facts.
  /// - Precondition: parts with kept facts can be solved again.
  init(_ tensor: StackedTensor, keeping kept: [[Int]]) throws(StackedTensor.MissingKeys) {
    let places = kept.indices.flatMap { part in kept[part].map { Place(part, $0) } }
    let directions = Self.sharedDirections(tensor, places)
    var residuals: [Matrix<Double>] = []
    for part in kept.indices where !kept[part].isEmpty {
      residuals.append(try tensor.residualsOnBase(part).rows(at: kept[part]))
    }
    let own = places.indices.filter { directions[$0] == $0 }
    let gram = Self.positive(try Self.gram(tensor, own.map { places[$0] }))
    var position = [Int](repeating: 0, count: places.count)
    for (index, fact) in own.enumerated() { position[fact] = index }
    let expanded = directions.map { position[$0] }
    self.directions = directions
    system = GramSystem(
      gram: gram.principalSubmatrix(at: expanded),
      residuals: Matrix(stacking: residuals, columns: residuals[0].columns))
  }

  /// For each place the first one of another part whose direction is the same but for rounding; else itself.
  private static func sharedDirections(_ tensor: StackedTensor, _ places: [Place]) -> [Int] {
    var directions = Array(places.indices)
    let norms = tensor.parts.map { $0.directions.rowNorms() }
    let facts = Dictionary(grouping: places.indices) { places[$0].part }
    for (i, later) in facts {
      let part = tensor.parts[i]
      for (p, earlier) in facts.sorted(by: { $0.key < $1.key }) where p < i {
        let other = tensor.parts[p]
        let product = other.directions.multiplied(by: part.directions, .transposed)
        for index in later where directions[index] == index {
          let fact = places[index].fact
          let norm = norms[i][fact]
          let same = earlier.first {
            let its = places[$0].fact
            let square = norm * norm + norms[p][its] * norms[p][its] - 2 * product[its, fact]
            let allowed = part.rounding[fact] + other.rounding[its] + measurement * norm
            return square <= allowed * allowed
          }
          if let same { directions[index] = same }
        }
      }
    }
    // The first may itself have the direction of one before.
    for index in directions.indices { directions[index] = directions[directions[index]] }
    return directions
  }

  /// The Gram matrix of some facts, block by block.
  private static func gram(
    _ tensor: StackedTensor, _ places: [Place]
  ) throws(StackedTensor.MissingKeys) -> Matrix<Double> {
    var gram = Matrix<Double>(uninitializedRows: places.count, columns: places.count)
    let facts = Dictionary(grouping: places.indices) { places[$0].part }
    for (i, columns) in facts {
      for (p, rows) in facts where p <= i {
        guard let product = tensor.gramBlock(p, i) else { throw StackedTensor.MissingKeys(parts: (p, i)) }
        for row in rows {
          for column in columns {
            let value = product[places[row].fact, places[column].fact]
            gram[row, column] = value
            gram[column, row] = value
          }
        }
      }
    }
    return gram
  }

  /// The matrix, or its positive part with every fact counting the same, if it is no Gram matrix.
  private static func positive(_ gram: Matrix<Double>) -> Matrix<Double> {
    let scales = (0..<gram.rows).map { max(gram[$0, $0], .leastNormalMagnitude).squareRoot() }
    let inverse = scales.map { 1 / $0 }
    var cosines = gram.scalingColumns(by: inverse).transposed().scalingColumns(by: inverse)
    // The rounding of binary64 is none that matters.
    let slack = Double(gram.rows) * 4 * .ulpOfOne
    var shifted = cosines
    for index in 0..<gram.rows { shifted[index, index] += slack }
    guard (try? Cholesky(shifted)) == nil, let positive = try? PositivePart(of: cosines).matrix else { return gram }
    cosines = positive
    return cosines.scalingColumns(by: scales).transposed().scalingColumns(by: scales)
  }
}
