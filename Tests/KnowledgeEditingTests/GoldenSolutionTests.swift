import Foundation
import LinearAlgebra
import Safetensors
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import KnowledgeEditing

@Suite struct GoldenSolutionTests {
  /// D from the golden keys and residuals: only the closed form is tested.
  @Test(arguments: GoldenEdit.available) func closedForms(golden: GoldenEdit) throws {
    let numbers = try golden.numbers()
    let layer = numbers.editedLayer
    let solver = try EditSolver(secondMoment: PackedTriangle(lowerTriangleOf: numbers.secondMoment(layer)))
    let keys = try numbers.matrix("keys")
    let residuals = try difference(numbers.matrix("z.layer\(layer)"), numbers.matrix("cur_z"))
    let count = keys.rows
    for (name, facts, lambda) in [
      ("emmet_E5", Array(0..<count), numbers.lambda.emmet), ("memit_E5", Array(0..<count), numbers.lambda.memit),
      ("memit_E1_fact0", [0], numbers.lambda.memit),
    ] + (0..<count).map({ ("emmet_E1_fact\($0)", [$0], 0) }) {
      let (k, r) = (keys.rows(at: facts), residuals.rows(at: facts))
      let solution = try solver.solve(keys: k, residuals: r, lambda: lambda)
      try check(solution, name, layer: layer, keys: k, numbers, tolerance: 1e-5)
    }
    let residual = try difference(numbers.matrix("z.mlp\(layer)"), numbers.matrix("cur_mlp_out"))
    let (bare, mean) = (try numbers.matrix("key_bare"), try numbers.matrix("keys_flat_mean"))
    for fact in 0..<count {
      let solution = solver.solvePublishedROME(
        meanKey: mean.rows(at: [fact]), bareKey: bare.rows(at: [fact]), residual: residual.rows(at: [fact]))
      // The golden inverse is in float32, where C's condition number shows.
      try check(
        solution, "rome_fact\(fact)", layer: layer, keys: bare.rows(at: [fact]), numbers, tolerance: 1e-3)
    }
  }

  @Test(arguments: GoldenEdit.available) func distributedClosedForms(golden: GoldenEdit) throws {
    let numbers = try golden.numbers()
    for (name, lambda) in [("memit_3layers", numbers.lambda.memit), ("emmet_3layers", numbers.lambda.emmet)] {
      for layer in numbers.distributedLayers {
        let keys = try numbers.matrix("\(name).layer\(layer).keys")
        let residuals = try numbers.matrix("\(name).layer\(layer).resid")
        let solution = try EditSolver(secondMoment: PackedTriangle(lowerTriangleOf: numbers.secondMoment(layer)))
          .solve(keys: keys, residuals: residuals, lambda: lambda)
        try check(solution, name, layer: layer, keys: keys, numbers, tolerance: 1e-5)
      }
    }
  }

  /// The whole way from facts to factors, on a float32 copy of the model, as the golden numbers were made: keys, shares
  /// of the residual, and the earlier layers' exact results in place. The factors are stored within 1e-3.
  @Test(arguments: [EditMethod.memit, .emmet]) func distribution(method: EditMethod) throws {
    let golden = GoldenEdit.available[0]
    let numbers = try golden.numbers()
    let scratch = try TemporaryDirectory()
    let layers = numbers.distributedLayers
    let base = try PatchedModel(OpenedCheckpoint(path: scratch.floatCopy(of: golden.modelPath)))
    let statistics = try scratch.statistics(base.model(), numbers, layers: layers)
    let computation = try EditComputation(
      on: base, settings: numbers.settings(method, layers: layers), templates: ContextTemplates(numbers.templates),
      statistics: statistics)
    let values = try goldenValues(numbers, layer: layers.last!)
    let computed = try #require(try computation.run(numbers.facts, values: values))
    #expect(computed.count == 1)
    for factors in computed[0].batch.tensors {
      let layer = try #require(computed[0].description.tensors[factors.name]?.layer)
      let name = "\(method.rawValue)_3layers"
      let keys = try numbers.matrix("\(name).layer\(layer).keys")
      let found = factors.leftValues()!.widened().multiplied(by: factors.rightValues()!.widened())
      let error = relativeError(
        keys.multiplied(by: found, .transposed).elements, try numbers.matrix("\(name).layer\(layer).dW_k").elements)
      #expect(error < 2e-3, "\(name) layer \(layer): \(error)")
      #expect(abs(found.frobeniusNorm / numbers.norm(name, layer: layer) - 1) < 1e-3)
    }
  }

  /// MEMIT as published, R K^T (w C + K K^T)^-1, equals EMMET's form with lambda = w (the push-through identity).
  @Test func publishedFormsAreOneFamily() throws {
    let numbers = try GoldenEdit.available[0].numbers()
    let secondMoment = try numbers.secondMoment(numbers.editedLayer)
    let keys = try numbers.matrix("keys")
    let residuals = try numbers.matrix("resid")
    for weight in [1.0, 100, 10_000] {
      var system = keys.multiplied(.transposed, by: keys)
      for row in 0..<system.rows {
        for column in 0..<system.columns { system[row, column] += weight * secondMoment[row, column] }
      }
      let published = residuals.multiplied(.transposed, by: try Cholesky(system).solveRight(keys))
      let solution = try EditSolver(secondMoment: PackedTriangle(lowerTriangleOf: secondMoment))
        .solve(keys: keys, residuals: residuals, lambda: weight)
      let ours = solution.left.multiplied(by: solution.right)
      #expect(relativeError(ours.elements, published.elements) < 1e-10)
    }
  }

  @Test func dependentKeysAreFound() throws {
    let numbers = try GoldenEdit.available[0].numbers()
    let solver = try EditSolver(
      secondMoment: PackedTriangle(lowerTriangleOf: numbers.secondMoment(numbers.editedLayer)))
    let keys = try numbers.matrix("keys")
    #expect(solver.dependentFacts(keys).isEmpty)
    // The later one of two is the dependent one.
    #expect(solver.dependentFacts(keys.rows(at: [0, 1, 2, 1])) == [3])
    #expect(solver.dependentFacts(keys.rows(at: [2, 2, 0, 1, 0])) == [1, 4])
  }

  // MARK: - Helpers

  private func goldenValues(_ numbers: GoldenEdit.Numbers, layer: Int) throws -> [String: FoundValue] {
    let values = try numbers.matrix("z.layer\(layer)")
    let initial = try numbers.matrix("target_init.layer\(layer)")
    return Dictionary(
      uniqueKeysWithValues: numbers.facts.enumerated().map { index, fact in
        let start = initial.row(index).map(Float.init)
        let delta = zip(values.row(index), start).map { Float($0 - Double($1)) }
        return (fact.identifier, FoundValue(initial: start, delta: delta, steps: []))
      })
  }

  private func check(
    _ solution: EditSolver.Solution, _ name: String, layer: Int, keys: Matrix<Double>, _ numbers: GoldenEdit.Numbers,
    tolerance: Double
  ) throws {
    let change = solution.left.multiplied(by: solution.right)
    #expect(abs(change.frobeniusNorm / numbers.norm(name, layer: layer) - 1) < tolerance, "\(name)")
    let atKeys = try numbers.matrix("\(name).layer\(layer).dW_k")
    #expect(relativeError(keys.multiplied(by: change, .transposed).elements, atKeys.elements) < tolerance, "\(name)")
    let samples = try numbers.sampledPlaces().map { change[$0.row, $0.column] }
    #expect(relativeError(samples, try numbers.matrix("\(name).layer\(layer).samples").elements) < tolerance, "\(name)")
  }

  private func difference(_ left: Matrix<Double>, _ right: Matrix<Double>) -> Matrix<Double> {
    Matrix(rows: left.rows, columns: left.columns, elements: zip(left.elements, right.elements).map { $0 - $1 })
  }
}
