import Foundation
import LinearAlgebra
import Safetensors
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import Adapters

/// Changes of weights as EasyEdit and the memit code have them.
@Suite struct WeightDeltasTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func write(_ tensors: [String: (Shape, [Float])]) throws -> String {
    var stored: [ByteString: (dtype: DType, shape: Shape, bytes: [UInt8])] = [:]
    for (name, tensor) in tensors {
      stored[ByteString(name)] = (.f32, tensor.0, tensor.1.withUnsafeBufferPointer { narrow($0, to: .f32) })
    }
    try SafetensorsWriter.write(stored, to: directory("deltas.safetensors"))
    return directory("deltas.safetensors")
  }

  /// Keys and values, and the product of both, stored as each architecture has it: the same change.
  @Test(arguments: ["llama_tied", "gpt2"]) func readsPairsAndWholeChanges(_ family: String) throws {
    let base = try AdapterBase.golden(family)
    let target = base.downProjection(1)
    var random = SeededGenerator(seed: 3)
    let keys = Matrix<Float>.random(rows: target.inputSize, columns: 2, scale: 1, &random)
    let values = Matrix<Float>.random(rows: target.outputSize, columns: 2, scale: 1, &random)
    let name = target.tensor.description
    let pair = try AdapterFile.read(
      write([
        name + ".0": ([keys.rows, 2], keys.elements), name + ".1": ([values.rows, 2], values.elements),
      ]), for: base)
    let exact = plainProduct(values.widened(), keys.transposed().widened())
    #expect(pair.modules.map(\.target.tensor) == [target.tensor] && pair.modules[0].product == exact.elements)
    let stored = target.isTransposed ? exact.transposed() : exact
    let whole = try AdapterFile.read(
      write([name + ".0": (target.shape, stored.narrowed().elements)]), for: base)
    #expect(whole.modules[0].rank == 2)
    let distance = zip(whole.modules[0].product, exact.elements).map { abs($0 - $1) }.max()!
    #expect(distance < 1e-5)
  }

  /// ROME's are one key and one value.
  @Test func readsVectors() throws {
    let base = try AdapterBase.golden("llama_tied")
    let target = base.downProjection(0)
    let adapter = try AdapterFile.read(
      write([
        "\(target.tensor).0": ([target.inputSize], Array(repeating: 2, count: target.inputSize)),
        "\(target.tensor).1": ([target.outputSize], Array(repeating: 3, count: target.outputSize)),
      ]), for: base)
    #expect(adapter.modules[0].rank == 1 && adapter.modules[0].product.allSatisfy { $0 == 6 })
  }

  /// What numpy wrote (Tests/Golden/make_npz.py): binary64 is rounded to float32, and that is said.
  @Test(arguments: [("float64", 1e-7), ("float16", 0)]) func readsNumpyArchives(type: String, error: Double) throws {
    let base = try AdapterBase.golden("llama_tied")
    let path = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../Golden/npz/deltas_\(type).npz").standardizedFileURL.path
    let module = try AdapterFile.read(path, for: base).modules[0]
    #expect(module.target.tensor == "model.layers.1.mlp.down_proj.weight" && module.rank == 2)
    #expect(error == 0 ? module.readingError == 0 : module.readingError > 0 && module.readingError < error)
    let product = module.product
    for output in 0..<64 {
      for input in 0..<160 {
        let exact = (0..<2).reduce(0.0) { $0 + Double(output - 32) / Double(3 + $1) / Double(1 + input + $1) }
        #expect(abs(product[output * 160 + input] - exact) <= (error == 0 ? 0.02 : 1e-6))
      }
    }
  }

  @Test func refusesWhatDoesNotFit() throws {
    let base = try AdapterBase.golden("llama_tied")
    let target = base.downProjection(0)
    let name = target.tensor.description
    func expect(_ tensors: [String: (Shape, [Float])], _ category: ErrataError.Kind, _ message: String) throws {
      let path = try write(tensors)
      #expect(throws: ErrataError(category, "\(path): \(message)")) { try AdapterFile.read(path, for: base) }
    }
    try expect(
      [name: ([1, 2], [1, 1])], .baseMismatch,
      "\"\(name)\" is for a tensor of shape [1, 2], and the base's is \(target.shape); it belongs to another model")
    try expect([name + ".1": ([1, 2], [1, 1])], .damagedInput, "\"\(name)\" has no \(name).0; fetch the file again")
    try expect(
      ["norm.weight": ([1], [1])], .baseMismatch,
      "\"norm.weight\" is no linear map of a block of \(base.checkpoint.path); it belongs to another model, or "
        + "changes what no patch of factors can")
    let numbers = directory("numbers.safetensors")
    try SafetensorsWriter.write([ByteString("\(target.tensor).0"): (.i32, [1], [0, 0, 0, 0])], to: numbers)
    #expect(
      throws: ErrataError(
        .general, "\(numbers): \"\(name).0\" is of type I32, and a change is of floating-point numbers")
    ) { try AdapterFile.read(numbers, for: base) }
    try directory.write("\u{1}", to: "x.pt")
    try AtomicFile.write([0x80, 0x02, 0x7D, 0x2E], to: directory("x.pt"))
    #expect(
      throws: ErrataError(
        .general,
        "\(directory("x.pt")): is a pickle, which is a program; load it with torch and save its tensors as "
          + "safetensors")
    ) { try AdapterFile.read(directory("x.pt"), for: base) }
  }
}
