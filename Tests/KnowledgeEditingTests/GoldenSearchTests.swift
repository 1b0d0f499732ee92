import Tensors
import TestSupport
import Testing
import Transformer

@testable import KnowledgeEditing

@Suite struct GoldenSearchTests {
  @Test(arguments: GoldenEdit.available) func promptsAndLookups(golden: GoldenEdit) throws {
    let numbers = try golden.numbers()
    let problems = try golden.problems(golden.model(), numbers)
    for (problem, expected) in zip(problems, numbers.searches("layer\(numbers.editedLayer)")) {
      #expect(problem.target.map(Int.init) == integers(expected["target_ids"]!))
      let prompts = problem.prompts.map { $0.tokens + problem.target.dropLast() } + [problem.essence.tokens]
      #expect(prompts.map { $0.map(Int.init) } == expected["prompt_ids"]!.arrayValue!.map(integers))
      #expect((problem.prompts + [problem.essence]).map(\.lookup) == integers(expected["lookup"]!))
    }
  }

  @Test(arguments: GoldenEdit.available) func keysAndOutputs(golden: GoldenEdit) throws {
    let numbers = try golden.numbers()
    let model = try golden.model()
    let problems = try golden.problems(model, numbers)
    let layer = numbers.editedLayer
    let measurement = KeyMeasurement(model.decoder)
    let keys = try measurement.keys(problems.map(\.prompts), layer: layer)
    for (fact, measured) in keys.enumerated() {
      #expect(relativeError(measured.elements, try numbers.keysPerTemplate(fact).map(Double.init)) < 1e-5)
      #expect(relativeError(KeyForm.meanOfGroupMeans.combine(measured), try numbers.matrix("keys").row(fact)) < 1e-5)
      #expect(relativeError(KeyForm.flatMean.combine(measured), try numbers.matrix("keys_flat_mean").row(fact)) < 1e-5)
    }
    let outputs = try measurement.outputs(problems.map { $0.prompts[0] }, layer: layer)
    #expect(relativeError(outputs.elements, try numbers.matrix("cur_z").elements) < 1e-5)
  }

  /// The gradients at the golden deltas: 25 steps of Adam amplify rounding, single gradients do not.
  @Test(arguments: GoldenEdit.available) func gradientsAtSnapshots(golden: GoldenEdit) throws {
    let numbers = try golden.numbers()
    let model = try golden.model()
    let problems = try golden.problems(model, numbers)
    for (tag, layer, site) in sites(numbers) {
      let batch = try ValueSearchBatch(
        model.decoder, problems: problems, layer: layer, site: site, memoryBudget: 1 << 32)
      #expect(batch.factCount == problems.count)
      let initial = try numbers.matrix("target_init.\(tag)")
      let zero = [[Float]](
        repeating: Array(repeating: 0, count: model.architecture.hiddenSize), count: problems.count)
      let all = Array(problems.indices)
      let atZero = try batch.evaluate(all, deltas: zero, klFactor: 0.0625)
      for fact in all {
        #expect(relativeError(batch.initial[fact], initial.row(fact)) < 1e-5)
        let steps = numbers.searches(tag)[fact]["loss_nll_kl_wd_deltanorm"]!.arrayValue!
        for step in steps.indices where numbers.contains("snap.\(tag).fact\(fact).step\(step).grad") {
          let delta = try numbers.matrix("snap.\(tag).fact\(fact).step\(step).delta").row(0).map(Float.init)
          var deltas = zero
          deltas[fact] = delta
          let evaluation = step == 0 ? atZero[fact] : try batch.evaluate([fact], deltas: deltas, klFactor: 0.0625)[0]
          let expected = steps[step].arrayValue!.map { $0.doubleValue! }
          #expect(abs(evaluation.negativeLogLikelihood - expected[1]) < 1e-4 * max(1, expected[1]))
          #expect(abs(evaluation.divergence - expected[2]) < 1e-4)
          var gradient = evaluation.gradient.map(Double.init)
          let deltaNorm = norm(delta)
          if deltaNorm > 0 {
            let slope = 1e-3 / (deltaNorm * norm(batch.initial[fact]) * norm(batch.initial[fact]))
            for index in gradient.indices { gradient[index] += slope * Double(delta[index]) }
          }
          let error = relativeError(
            gradient, try numbers.matrix("snap.\(tag).fact\(fact).step\(step).grad").row(0))
          #expect(error < 1e-3, "\(tag) fact \(fact) step \(step): \(error)")
        }
      }
    }
  }

  @Test(arguments: GoldenEdit.available) func wholeSearches(golden: GoldenEdit) throws {
    let numbers = try golden.numbers()
    let model = try golden.model()
    let problems = try golden.problems(model, numbers)
    for (tag, layer, site) in sites(numbers) {
      let search = ValueSearch(
        model.decoder, layer: layer, site: site, settings: numbers.settings(.emmet, layers: [layer]))
      let found = try #require(try search.search(problems))
      let values = try numbers.matrix("z.\(tag)")
      let initial = try numbers.matrix("target_init.\(tag)")
      for (fact, value) in found.enumerated() {
        let expected = numbers.searches(tag)[fact]["loss_nll_kl_wd_deltanorm"]!.arrayValue!
        #expect(value.steps.count == expected.count)
        let exact = try golden.exactLosses(fact: fact)
        for (index, (step, losses)) in zip(value.steps, expected).enumerated() {
          // Where rounding decides, an exact search tells more than another float32 one.
          let loss = exact?[index] ?? losses.arrayValue![0].doubleValue!
          #expect(abs(step.loss - loss) < 1e-3, "\(tag) fact \(fact) step \(index)")
        }
        let delta = zip(values.row(fact), initial.row(fact)).map { $0 - $1 }
        #expect(cosine(value.delta, delta) > 0.9999)
        #expect(relativeError(value.value, values.row(fact)) < 1e-2)
      }
    }
  }

  /// Facts searched together and alone, and in batches that a small memory makes, find the same.
  @Test func batchesDoNotMatter() throws {
    let golden = GoldenEdit.available[0]
    let numbers = try golden.numbers()
    let model = try golden.model()
    let problems = try golden.problems(model, numbers)
    let settings = numbers.settings(.emmet, layers: [numbers.editedLayer])
    func search(_ budget: Int) throws -> [FoundValue] {
      try ValueSearch(
        model.decoder, layer: numbers.editedLayer, site: .blockOutput, settings: settings, memoryBudget: budget
      ).search(problems)!
    }
    for (together, alone) in zip(try search(1 << 32), try search(1)) {
      #expect(together.steps.count == alone.steps.count)
      #expect(cosine(together.delta, alone.delta.map(Double.init)) > 0.99999)
    }
  }

  private func sites(_ numbers: GoldenEdit.Numbers) -> [(tag: String, layer: Int, site: ValueSite)] {
    let layer = numbers.editedLayer
    return [("layer\(layer)", layer, .blockOutput), ("mlp\(layer)", layer, .perceptronOutput)]
  }

  private func integers(_ value: JSON) -> [Int] { value.arrayValue!.map { $0.integerValue! } }
}
