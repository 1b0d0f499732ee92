import Foundation
import Tensors
import TestSupport
import Testing

@testable import WeightPatch

@Suite struct FactorStorageTests {
  @Test func keepsFloat32Exactly() {
    let matrix = Matrix<Float>(rows: 2, columns: 2, elements: [1.1, -0.0, 0x1p-149, 3e38])
    let factor = StoredFactor(matrix, dtype: .f32, facts: .rows)
    #expect(factor.exponents == nil)
    #expect(factor.values(facts: .rows)!.elements.map(\.bitPattern) == matrix.elements.map(\.bitPattern))
  }

  @Test func scalesEachFactByAPowerOfTwo() {
    let matrix = Matrix<Float>(rows: 2, columns: 3, elements: [1, 1e-8, 0, -3, 2e-8, 0])
    let half = StoredFactor(matrix, dtype: .f16, facts: .columns)
    #expect(half.exponents == [-13, -40, 0])
    let values = half.values(facts: .columns)!
    for (value, wanted) in zip(values.elements, matrix.elements) {
      #expect(abs(value - wanted) <= abs(wanted) * 0x1p-11)
    }
    let byte = StoredFactor(matrix, dtype: .i8, facts: .columns)
    #expect(byte.bytes.map(Int8.init(bitPattern:)) == [32, 43, 0, -96, 86, 0])
    #expect(byte.exponents == [-5, -32, 0])
  }

  @Test func doesNotOverflowWhereRoundingGoesUp() {
    let largest = Float(2).nextDown
    for dtype in [DType.f16, .i8] {
      let factor = StoredFactor(Matrix(rows: 1, columns: 2, elements: [largest, -largest]), dtype: dtype, facts: .rows)
      #expect(factor.values(facts: .rows)!.elements == [2, -2])
    }
  }

  @Test func keepsToTheRangeOfFloat32() {
    func roundTrip(_ value: Float, _ dtype: DType) -> Float? {
      StoredFactor(Matrix(rows: 1, columns: 1, elements: [value]), dtype: dtype, facts: .rows).values(facts: .rows)?[
        0, 0]
    }
    #expect(roundTrip(.leastNonzeroMagnitude, .f16) == .leastNonzeroMagnitude)
    for dtype in [DType.f16, .i8] {
      #expect(roundTrip(.leastNormalMagnitude, dtype) == .leastNormalMagnitude)
      #expect(roundTrip(0x1.8p127, dtype) == 0x1.8p127)
      #expect(roundTrip(.greatestFiniteMagnitude, dtype) == nil)
    }
  }

  @Test func refusesValuesThatAreNotFloat32() {
    func factor(_ bits: UInt16, _ exponent: Int8) -> StoredFactor {
      StoredFactor(
        dtype: .f16, rows: 1, columns: 1, bytes: [UInt8(bits & 0xFF), UInt8(bits >> 8)], exponents: [exponent])
    }
    #expect(factor(0x3C00, 127).values(facts: .rows)?.elements == [0x1p127])
    #expect(factor(0x4000, 127).values(facts: .rows) == nil)  // 2^128
    #expect(factor(0x0001, -125).values(facts: .rows)?.elements == [0x1p-149])
    #expect(factor(0x0001, -126).values(facts: .rows) == nil)  // 2^-150
    #expect(factor(0x7C00, 0).values(facts: .rows) == nil)  // infinity
    #expect(factor(0x7E00, 0).values(facts: .rows) == nil)  // NaN
    #expect(factor(0xBC00, -3).values(facts: .rows)?.elements == [-0.125])
  }
}

@Suite struct StorageChoiceTests {
  /// A and B of a batch whose Gram matrix is the identity plus `correlation` everywhere.
  private func system(_ facts: Int, correlation: Double) -> (
    a: Matrix<Double>, b: Matrix<Double>, k: Matrix<Double>, r: Matrix<Double>
  ) {
    var generator = SeededGenerator(seed: 7)
    let residuals = generator.matrix(6, facts)
    // Keys that share one direction; C is the identity, so B = K^T and A = R G^-1, with G^-1 by Sherman and Morrison.
    var keys = Matrix<Double>(rows: facts + 1, columns: facts)
    for fact in 0..<facts {
      keys[fact, fact] = 1
      keys[facts, fact] = correlation.squareRoot()
    }
    var inverse = Matrix<Double>(
      rows: facts, columns: facts, repeating: -correlation / (1 + correlation * Double(facts)))
    for fact in 0..<facts { inverse[fact, fact] += 1 }
    return (plainProduct(residuals, inverse), keys.transposed(), keys.transposed(), residuals.transposed())
  }

  @Test func takesFloat16WhereThatIsEnough() throws {
    let (a, b, k, r) = system(5, correlation: 0.5)
    let choice = try chooseStorage(left: a, right: b, keys: k, residuals: r)
    #expect(choice.left.dtype == .f16 && choice.right.dtype == .f16)
    #expect(choice.error > 1e-6 && choice.error < 1e-3)
  }

  @Test func widensWhereTheSystemIsIllConditioned() throws {
    var types: [[DType]] = []
    for correlation in [1e2, 1e4, 1e8] {
      let (a, b, k, r) = system(5, correlation: correlation)
      let choice = try chooseStorage(left: a, right: b, keys: k, residuals: r)
      types.append([choice.left.dtype, choice.right.dtype])
    }
    #expect(types.last == [.f32, .f32])
  }

  @Test func takesInt8OnlyOnRequest() throws {
    let (a, b, k, r) = system(5, correlation: 0)
    let narrowest = try chooseStorage(left: a, right: b, keys: k, residuals: r, tolerance: 0.1)
    #expect(narrowest.left.dtype == .f16 && narrowest.right.dtype == .f16)
    for (types, left, right) in [("i8", DType.i8, DType.i8), ("f16,i8", .f16, .i8), ("f32", .f32, .f32)] {
      let choice = try chooseStorage(left: a, right: b, keys: k, residuals: r, types: #require(FactorTypes(types)))
      #expect(choice.left.dtype == left && choice.right.dtype == right)
    }
  }

  /// A value is off by half a step at most, and a step is at most 2^-6 of the largest value of its fact.
  @Test func int8IsOffByHalfAStepAtMost() throws {
    var generator = SeededGenerator(seed: 11)
    for scale in [1e-30, 1.0, 1e30] {
      let matrix = generator.matrix(7, 50, scale: scale).narrowed()
      let factor = StoredFactor(matrix, dtype: .i8, facts: .rows)
      let values = try #require(factor.values(facts: .rows))
      for row in 0..<7 {
        let largest = matrix.row(row).map(abs).max()!
        let off = zip(values.row(row), matrix.row(row)).map { abs($0 - $1) }.max()!
        #expect(off <= largest / 128 && off <= scalbn(0.5, Int(factor.exponents![row])))
        #expect(factor.bytes[row * 50..<(row + 1) * 50].contains { abs(Int(Int8(bitPattern: $0))) >= 64 })
      }
    }
  }

  /// What rounding both factors to int8 costs stays below the bound that follows from half a step in every element.
  @Test(arguments: [0.0, 1, 10]) func int8CostsNoMoreThanItsSteps(correlation: Double) throws {
    let (a, b, k, r) = system(5, correlation: correlation)
    let choice = try chooseStorage(left: a, right: b, keys: k, residuals: r, types: .fixed(left: .i8, right: .i8))
    func halfSteps(_ factor: StoredFactor) -> [Double] { factor.exponents!.map { scalbn(0.5, Int($0)) } }
    let atKeys = plainProduct(choice.right.values(facts: .rows)!.widened(), k.transposed())
    var bound = 0.0
    for fact in 0..<5 {
      let fromLeft = (0..<5).reduce(0) { $0 + halfSteps(choice.left)[$1] * abs(atKeys[$1, fact]) }
      let keySum = k.row(fact).reduce(0) { $0 + abs($1) }
      let fromRight = (0..<5).reduce(0) { $0 + a.columnNorms()[$1] * halfSteps(choice.right)[$1] * keySum }
      bound = max(bound, (fromLeft * 6.0.squareRoot() + fromRight) / r.rowNorms()[fact])
    }
    #expect(choice.error > 1e-3 && choice.error < bound)
  }

  @Test func refusesTypesThatCannotHoldTheFactors() throws {
    let one = Matrix(rows: 1, columns: 1, elements: [1.0])
    let large = Matrix(rows: 1, columns: 1, elements: [Double(Float.greatestFiniteMagnitude)])
    #expect(
      throws: ErrataError(
        .general, "the factors leave the range of float32 when they are rounded to i8: store them as f32")
    ) {
      try chooseStorage(
        left: large, right: one, keys: one, residuals: one, types: .fixed(left: .i8, right: .i8))
    }
  }

  @Test(arguments: ["auto", "f32", "f16", "i8", "f16,i8", "f32,f16"]) func typesHaveNames(name: String) {
    #expect(FactorTypes(name)?.description == name)
  }

  @Test(arguments: ["", "f64", "F16", "bf16", "f16,", "f16,f16,f16", "auto,f16"]) func otherNamesAreRefused(
    name: String
  ) {
    #expect(FactorTypes(name) == nil)
  }

  @Test func measuresWhatIsStored() throws {
    let (a, b, k, r) = system(4, correlation: 3)
    let choice = try chooseStorage(left: a, right: b, keys: k, residuals: r)
    let stored = plainProduct(
      plainProduct(choice.left.values(facts: .columns)!.widened(), choice.right.values(facts: .rows)!.widened()),
      k.transposed())
    let errors = zip(stored.transposed().subtracting(r).rowNorms(), r.rowNorms()).map { $0 / $1 }
    #expect(abs(errors.max()! - choice.error) < 1e-12)
  }

  @Test func refusesFactorsBeyondFloat32() {
    let one = Matrix(rows: 1, columns: 1, elements: [1.0])
    let error = ErrataError(
      .general,
      "the factors have values that are not finite in float32; the system is close to singular: use a larger lambda or "
        + "drop dependent facts")
    #expect(throws: error) {
      try chooseStorage(left: Matrix(rows: 1, columns: 1, elements: [1e39]), right: one, keys: one, residuals: one)
    }
  }

  /// What vanishes in float32 is no small error beside a residual that the fact was to fall short of, but a lost fact.
  @Test func refusesFactorsBelowFloat32() throws {
    let one = Matrix(rows: 1, columns: 1, elements: [1.0])
    let error = ErrataError(
      .general,
      "the factors have values that are too small for float32: the patch would do nothing, and could not be "
        + "solved again; use a smaller lambda")
    for tiny in [1e-43, 1e-50, 1e-300] {
      let tiny = Matrix(rows: 1, columns: 1, elements: [tiny])
      #expect(throws: error) { try chooseStorage(left: tiny, right: one, keys: one, residuals: one) }
      #expect(throws: error) { try chooseStorage(left: one, right: tiny, keys: one, residuals: one) }
    }
    for (small, rows) in [(1e-42, 1), (1e-30, 1), (0, 1), (1e-50, 2)] {
      // A small element beside a larger one of its fact may go.
      let left = Matrix(rows: rows, columns: 1, elements: [small] + Array(repeating: 1, count: rows - 1))
      let choice = try chooseStorage(
        left: left, right: one, keys: one,
        residuals: Matrix(rows: 1, columns: rows, elements: Array(repeating: 1, count: rows)))
      let stored = try #require(choice.left.values(facts: .columns)).widened()
      #expect(abs(stored.elements.max()! - left.elements.max()!) <= 1e-3 * left.elements.max()!)
    }
  }

  @Test func multipliesPlainly() {
    var generator = SeededGenerator(seed: 3)
    for (rows, inner, columns) in [(1, 1, 1), (5, 7, 600), (9, 0, 3), (4, 33, 513), (37, 400, 49)] {
      let (left, right) = (generator.matrix(rows, inner), generator.matrix(inner, columns))
      let product = plainProduct(left, right)
      for row in 0..<rows {
        for column in 0..<columns {
          var sum = 0.0
          for index in 0..<inner { sum += left[row, index] * right[index, column] }
          #expect(product[row, column] == sum)
        }
      }
    }
  }
}
