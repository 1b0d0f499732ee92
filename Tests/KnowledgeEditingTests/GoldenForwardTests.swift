import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing
import Transformer

@testable import Facts
@testable import KnowledgeEditing

/// Whole prompts through the whole model, against Hugging Face transformers.
@Suite struct GoldenForwardTests {
  @Test(arguments: GoldenEdit.available) func promptsGiveTheGoldenNumbers(golden: GoldenEdit) throws {
    let model = try golden.model()
    let numbers = try SafetensorsFile(path: golden.forwardPath + ".safetensors")
    let prompts = try JSON.parse(contentsOf: golden.forwardPath + ".json")["prompts"]!.arrayValue!
    let tokenization = PromptTokenization(model.tokenizer)
    for (index, prompt) in prompts.enumerated() {
      let tokens = try tokenization.prompt(prompt["prompt"]!.stringValue!)
      #expect(tokens.map(Int.init) == prompt["ids"]!.arrayValue!.map { $0.integerValue! })
      func golden(_ name: String) throws -> [Double]? {
        guard numbers.header[ByteString("p\(index).\(name)")] != nil else { return nil }
        let tensor = try numbers.tensor(named: ByteString("p\(index).\(name)"))
        return tensor.dtype == .f64 ? try tensor.doubleMatrix().elements : try tensor.matrix().widened().elements
      }
      func check(_ found: [Double], _ name: String, tolerance: Double) throws {
        guard let expected = try golden(name) else { return }
        let error = relativeError(found, expected)
        #expect(error < tolerance, "prompt \(index) \(name): \(error)")
      }
      var hidden = try model.decoder.embed(tokens: tokens, positions: (0..<Int32(tokens.count)).map { $0 })
      try model.decoder.forward(
        &hidden, plan: AttentionPlan(TokenTree([tokens])), tokens: tokens,
        positions: (0..<Int32(tokens.count)).map { $0 },
        layers: 0..<model.architecture.layerCount
      ) { observation in
        switch observation {
        case .keys(let layer, let keys):
          try check(keys.row(tokens.count - 1).map(Double.init), "key.\(layer)", tolerance: 1e-4)
        case .output(let layer, let output):
          try check(output.row(tokens.count - 1).map(Double.init), "hidden.\(layer)", tolerance: 1e-4)
        }
      }
      let logits = model.decoder.logits(hidden)
      let last = logits.row(tokens.count - 1).map(Double.init)
      try check(last, "logits", tolerance: 1e-4)
      if let best = prompt["top20_ids"]?.arrayValue?.map({ $0.integerValue! }) {
        try check(best.map { last[$0] }, "top20", tolerance: 1e-5)
      }
      let nll = (0..<tokens.count - 1).map {
        -TokenDistribution(logits: logits, row: $0).logProbability(Int(tokens[$0 + 1]))
      }
      try check(nll, "nll", tolerance: 1e-4)
    }
  }
}
