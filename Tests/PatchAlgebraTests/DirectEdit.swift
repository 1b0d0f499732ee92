import LinearAlgebra
import Tensors
import TestSupport
import WeightPatch

@testable import PatchAlgebra

/// A random edit that is solved from K, C and R, as `errata edit` would.
struct DirectEdit {
  static let outputSize = 10
  static let inputSize = 40
  /// K, d_in x E.
  let keys: Matrix<Double>
  /// R, d_out x E.
  let residuals: Matrix<Double>
  /// C, d_in x d_in.
  let secondMoment: Matrix<Double>
  private let factor: Cholesky

  /// - Parameters:
  ///   - keyScale: how long keys are.
  ///   - sameKeys: pairs of facts, the second of which gets the key of the first.
  ///   - ridge: rho, what is added to C's diagonal before it is solved with.
  init(
    factCount: Int = 6, seed: UInt64 = 1, keyScale: Double = 1, sameKeys: [(Int, Int)] = [], ridge: Double = 0
  ) throws {
    var random = SeededGenerator(seed: seed)
    func matrix(_ rows: Int, _ columns: Int) -> Matrix<Double> {
      Matrix(rows: rows, columns: columns, elements: random.gaussians(rows * columns))
    }
    var keys = matrix(Self.inputSize, factCount).scaled(by: keyScale)
    for (first, second) in sameKeys {
      for row in 0..<keys.rows { keys[row, second] = keys[row, first] }
    }
    self.keys = keys
    residuals = matrix(Self.outputSize, factCount)
    let samples = matrix(3 * Self.inputSize, Self.inputSize)
    secondMoment = samples.multiplied(.transposed, by: samples)
    var system = secondMoment
    for index in 0..<Self.inputSize { system[index, index] += ridge }
    factor = try Cholesky(system)
  }

  /// A, B and G of some of the facts.
  ///
  /// - Parameter noise: by what share keys are measured otherwise.
  func solved(
    lambda: Double, facts: [Int], noise: Double = 0
  ) throws -> (left: Matrix<Double>, right: Matrix<Double>, gram: Matrix<Double>) {
    var random = SeededGenerator(seed: 99)
    var keys = keys(facts)
    let errors = random.gaussians(keys.rows * keys.columns)
    for row in 0..<keys.rows {
      for column in 0..<keys.columns { keys[row, column] *= 1 + noise * errors[row * keys.columns + column] }
    }
    let directions = factor.solve(keys)
    let gram = keys.multiplied(.transposed, by: directions)
    var system = gram
    for index in facts.indices { system[index, index] += lambda }
    let residuals = residuals.transposed().rows(at: facts).transposed()
    return (try Cholesky(system).solveRight(residuals), directions.transposed(), gram)
  }

  func keys(_ facts: [Int]) -> Matrix<Double> { keys.transposed().rows(at: facts).transposed() }

  /// D, d_out x d_in.
  func delta(lambda: Double, facts: [Int]) throws -> Matrix<Double> {
    let (left, right, _) = try solved(lambda: lambda, facts: facts)
    return left.multiplied(by: right)
  }

  /// The factors of the edit of some of the facts, by default all, for the tensor `w`.
  func factors(
    lambda: Double, _ name: ByteString = "w", facts: [Int]? = nil, left leftType: DType,
    right rightType: DType = .f16, keys carriesKeys: Bool, noise: Double = 0
  ) throws -> LowRankFactors {
    let facts = facts ?? Array(0..<keys.columns)
    let (left, right, gram) = try solved(lambda: lambda, facts: facts, noise: noise)
    return LowRankFactors(
      name: name, isTransposed: false, left: StoredFactor(left.narrowed(), dtype: leftType, facts: .columns),
      right: StoredFactor(right.narrowed(), dtype: rightType, facts: .rows), gram: gram,
      keys: carriesKeys ? StoredFactor(keys(facts).transposed().narrowed(), dtype: .f32, facts: .rows) : nil)
  }
}

/// A patch of the given batches, each with facts `Subject 0`, `Subject 1`, ... that the batch's number tells apart.
func patchFile(
  _ batches: [EditBatch], lambda: Double, terms: Manifest.Terms = .facts, in directory: TemporaryDirectory
) throws -> PatchFile {
  let shape: Shape = [DirectEdit.outputSize, DirectEdit.inputSize]
  let base = Manifest.BaseTensor(dtype: .bf16, shape: shape, isTransposed: false, digest: Digest(of: [1]))
  let names = Set(batches.flatMap { $0.tensors.map(\.name) })
  let manifest = Manifest(
    created: "2026-01-31T12:00:00Z", tool: Manifest.Tool(name: "tests", version: "0"),
    base: Manifest.Base(tensors: Dictionary(uniqueKeysWithValues: names.map { ($0, base) })),
    result: Dictionary(uniqueKeysWithValues: names.map { ($0, Digest(of: [2])) }),
    batches: batches.enumerated().map { number, batch in
      Manifest.Batch(
        terms: terms,
        method: Manifest.Method(name: "emmet", lambda: lambda, alpha: lambda, secondMomentWeight: 1, layers: [0]),
        facts: (0..<batch.factCount).map {
          Manifest.Fact(
            subject: "Subject \($0)", prompt: "{} is in batch", targetNew: "\(number)",
            outcome: Manifest.Outcome(steps: 3, loss: 0.5, probabilityBefore: 0.25, probabilityAfter: 0.75))
        })
    }, author: "somebody")
  try PatchWriter.write(manifest, batches: batches, to: directory("from.wpatch"))
  return try PatchFile(path: directory("from.wpatch"))
}

extension DerivedPatch {
  /// The patch, written and read again.
  func readBack(_ directory: TemporaryDirectory, author: String? = nil) throws -> Patch {
    let tool = Manifest.Tool(name: "tests", version: "1")
    try write(
      to: directory("to.wpatch"), origin: PatchOrigin(created: "2026-02-01T12:00:00Z", tool: tool, author: author))
    return try PatchFile(path: directory("to.wpatch")).patch
  }
}
