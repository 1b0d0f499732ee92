import LinearAlgebra
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import KnowledgeEditing

/// The solver under every metric, against numpy (Tests/Witness/metric.py prints the numbers) and against what the
/// mathematics promises (Spec: the metric).
@Suite struct SolverMetricTests {
  private static let lambda = 0.5
  private static let slacks = [0.25, 2]
  private static let keys = numbers(2, 6, seed: 1)
  private static let residuals = numbers(2, 2, seed: 2)
  private static let held = numbers(2, 6, seed: 3)

  /// The transpose of the script's, whose facts are columns.
  private static func numbers(_ rows: Int, _ columns: Int, seed: Int) -> Matrix<Double> {
    var matrix = Matrix<Double>(rows: rows, columns: columns)
    for j in 0..<rows {
      for i in 0..<columns {
        let whole: Int = (i * 37 + j * 61 + i * j * 11 + seed * 17) % 23
        matrix[j, i] = Double(whole - 11) / 8
      }
    }
    return matrix
  }

  private static func secondMoment(ridge: Double = 1) -> Matrix<Double> {
    let samples = numbers(9, 6, seed: 4)
    var moment = samples.multiplied(.transposed, by: samples)
    for row in 0..<6 {
      for column in 0..<6 { moment[row, column] /= 9 }
      moment[row, row] += ridge
    }
    return moment
  }

  private static func moments(ridge: Double = 1) throws -> EditSolver {
    EditSolver(try Cholesky(secondMoment(ridge: ridge)))
  }

  private static var projection: EditSolver {
    EditSolver(SolverMetric(.projection(basis: Matrix(rows: 3, columns: 6, elements: basis))))
  }

  @Test func againstNumpy() throws {
    let solvers = [
      "secondMoments": try Self.moments(),
      "held": try Self.moments().holding(keys: Self.held, slacks: Self.slacks),
      "heldExactly": try Self.moments().holding(keys: Self.held, slacks: [0, 0]),
      "projection": Self.projection,
      "heldProjection": try Self.projection.holding(keys: Self.held, slacks: Self.slacks),
      "identity": EditSolver(SolverMetric(.identity)),
    ]
    #expect(Set(solvers.keys) == Set(Self.changes.keys))
    for (name, solver) in solvers {
      let change = try Self.change(solver, Self.keys, Self.residuals, lambda: Self.lambda)
      #expect(relativeError(change.elements, Self.changes[name]!) < 1e-10, "\(name)")
    }
  }

  /// Solved again and again with the keys so far held, each for what the weights so far lack, batches add up to the
  /// joint edit: in any order.
  @Test(arguments: [[0, 1, 2], [2, 0, 1], [1, 2, 0]]) func aSequenceIsTheJointEdit(order: [Int]) throws {
    let (keys, wanted) = (Self.numbers(3, 6, seed: 6), Self.numbers(3, 4, seed: 7))
    let joint = try Self.change(Self.moments(), keys, wanted, lambda: Self.lambda)
    var sum = Matrix<Double>(rows: 4, columns: 6)
    for (count, fact) in order.enumerated() {
      let key = keys.rows(at: [fact])
      let solver = try Self.moments().holding(
        keys: keys.rows(at: Array(order[..<count])), slacks: Array(repeating: Self.lambda, count: count))
      let residual = wanted.rows(at: [fact]).subtracting(key.multiplied(by: sum, .transposed))
      let change = try Self.change(solver, key, residual, lambda: Self.lambda)
      sum = Matrix(rows: 4, columns: 6, elements: zip(sum.elements, change.elements).map(+))
    }
    #expect(relativeError(sum.elements, joint.elements) < 1e-12)
  }

  /// What the file tells of ordinary text is what D does to it, whatever the ridge, and with keys held.
  @Test(arguments: [0, 0.1, 1]) func preservationIsExact(ridge: Double) throws {
    let secondMoment = Self.secondMoment(ridge: 0.5)
    let system = Self.secondMoment(ridge: 0.5 + ridge)
    for slacks in [[Double](), [0.25, 2], [0, 2]] {
      let held = Self.held.rows(at: Array(0..<slacks.count))
      let solver = try EditSolver(Cholesky(system)).holding(keys: held, slacks: slacks)
      let solution = try solver.solve(keys: Self.keys, residuals: Self.residuals, lambda: Self.lambda)
      let factors = LowRankFactors(
        name: "w", isTransposed: false, left: StoredFactor(solution.left.narrowed(), dtype: .f32, facts: .columns),
        right: StoredFactor(solution.right.narrowed(), dtype: .f32, facts: .rows), gram: solution.gram,
        heldProduct: slacks.isEmpty ? nil : solution.right.multiplied(by: held, .transposed))
      let metric = Manifest.Metric(
        kind: .secondMoments,
        held: slacks.isEmpty ? [] : [Manifest.Held(keyCount: slacks.count, mu: .perTerm(slacks))])
      let change = solution.left.multiplied(by: solution.right)
      let expected = change.multiplied(by: secondMoment).elementwiseDot(change)
      let found = try #require(factors.preservation(ridge: ridge, metric: metric, using: .blas))
      #expect(abs(found / expected - 1) < 1e-6, "\(slacks)")
    }
  }

  /// A key that is held leaves nothing to solve for; one that is held twice is held once.
  @Test func heldKeysAreDependent() throws {
    let twice = Self.keys.rows(at: [0, 0])
    let solver = try Self.moments().holding(keys: twice, slacks: [0, 0])
    #expect(solver.dependentFacts(Self.keys) == [0])
    let once = try Self.moments().holding(keys: Self.keys.rows(at: [0]), slacks: [0])
    #expect(
      relativeError(solver.directions(Self.held).elements, once.directions(Self.held).elements) < 1e-12)
    #expect(try Self.moments().holding(keys: twice, slacks: [1, 1]).dependentFacts(Self.keys).isEmpty)
  }

  private static func change(
    _ solver: EditSolver, _ keys: Matrix<Double>, _ residuals: Matrix<Double>, lambda: Double
  ) throws -> Matrix<Double> {
    let solution = try solver.solve(keys: keys, residuals: residuals, lambda: lambda)
    return solution.left.multiplied(by: solution.right)
  }

  // MARK: - By numpy

  private static let basis: [Double] = [
    -0.1959714711388043, -0.12542174152883478, -0.7838858845552175, -0.007838858845552174, -0.5016869661153391,
    -0.2821989184398783, 0.06807212448142722, -0.05478424670571445, -0.45087625482302585, 0.181241269657802,
    0.21476186482638307, 0.842676936083667, 0.9214360876976497, -0.06463760511977623, 0.008829953980204043,
    0.1548957986603998, -0.3498289525554974, -0.01807052065704958,
  ]

  /// D, 2 x 6, row after row.
  private static let changes: [String: [Double]] = [
    "secondMoments": [
      0.0114036889631041, -0.037398022838577974, 0.04012449439023885, -0.14708300733501156, -0.3099132770121966,
      -0.3732858014786121, -0.17217820613032375, 0.02660203959376947, -0.2703036329994929, -0.19895301394174503,
      0.027661248031738393, -0.4170823123740551,
    ],
    "held": [
      -0.023468264009311617, -0.16211238908710512, 0.04148774222875835, -0.0586289972149381, -0.3106137182223787,
      -0.39667226331711825, -0.1163896381008723, -0.2555048393711592, -0.38715444635967805, 0.05472970878430914,
      -0.009647883711053334, -0.4229058944640129,
    ],
    "heldExactly": [
      -0.07767313488399828, -0.2110192563411205, 0.07811746501404189, -0.04007224657951878, -0.3001367955105994,
      -0.42001148453724513, -0.14786829444154342, -0.31515017035316434, -0.3733209977274186, 0.0911426477913712,
      -0.006056529111478805, -0.4392646385616521,
    ],
    "projection": [
      0.15738686510667416, -0.030988299186135694, -0.036795320464717174, -0.03951392650764295, -0.336014301538216,
      -0.453773053418827, -0.4160265596832811, -0.04102663876398145, -0.35217622883177746, -0.10095415663977021,
      -0.2543090233082137, -0.39339992222990255,
    ],
    "heldProjection": [
      0.13502381445694453, -0.018297772179086246, 0.023281396097148948, -0.04320165156983642, -0.27570067372380797,
      -0.4182392610662548, -0.23600154328270118, -0.07791820280524263, -0.5331885300667472, -0.02256580585159723,
      -0.30129236386879527, -0.18916723577243802,
    ],
    "identity": [
      0.13841314225795176, -0.016777350576721427, -0.043341488989863675, -0.19853198182453688, -0.3537224746592101,
      -0.38028661307235234, -0.0927997203774904, 0.07943026913666551, -0.35730513806361414, -0.18507514854945822,
      -0.01284515903530234, -0.44958056623558196,
    ],
  ]
}
