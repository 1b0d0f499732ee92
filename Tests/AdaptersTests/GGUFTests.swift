import Tensors
import TestSupport
import Testing

@testable import Adapters

/// GGUF adapters: the writer, the reader, and what the reader refuses.
@Suite struct GGUFTests {
  let directory: TemporaryDirectory
  let base: AdapterBase

  init() throws {
    directory = try TemporaryDirectory()
    base = try .golden("llama_tied")
  }

  private func write(_ dtype: DType = .f32, to name: String = "a.gguf") throws -> LowRankAdapter {
    let adapter = try base.randomAdapter(ranks: [(base.downProjection(0), 3), (base.downProjection(1), 5)])
      .balanced.padded.rounded(to: dtype)
    try GGUFAdapter.write(
      adapter, for: base, as: dtype, notes: [("general.license", .text("mit"))], to: directory(name))
    return adapter
  }

  @Test(arguments: [DType.f32, .f16]) func readsWhatItWrites(_ dtype: DType) throws {
    let adapter = try write(dtype)
    #expect(try AdapterFile.read(directory("a.gguf"), for: base).isSame(as: adapter))
    let file = try GGUFFile(path: directory("a.gguf"))
    #expect(
      file.values == [
        "general.type": .text("adapter"), "general.architecture": .text("llama"), "adapter.type": .text("lora"),
        "adapter.lora.alpha": .number(5), "general.license": .text("mit"),
      ])
    #expect(
      file.tensors.map(\.name) == [
        "blk.0.ffn_down.weight.lora_a", "blk.0.ffn_down.weight.lora_b", "blk.1.ffn_down.weight.lora_a",
        "blk.1.ffn_down.weight.lora_b",
      ])
    let target = base.downProjection(0)
    #expect(file.tensors[0].extents == [target.inputSize, 5] && file.tensors[1].extents == [5, target.outputSize])
    #expect(file.tensors.allSatisfy { $0.range.lowerBound % 32 == 0 && $0.dtype == dtype })
  }

  /// Of a file that ends anywhere, nothing is taken.
  @Test func refusesEveryCut() throws {
    _ = try write(.f16)
    let bytes = try directory.read("a.gguf")
    for count in Array(stride(from: 0, to: 700, by: 7)) + [bytes.count - 32] {
      try AtomicFile.write(bytes.prefix(count), to: directory("cut.gguf"))
      let error = try #require(throws: ErrataError.self) { try AdapterFile.read(directory("cut.gguf"), for: base) }
      #expect(error.kind == .damagedInput, "\(count) bytes: \(error)")
    }
  }

  @Test func refusesWhatDoesNotFit() throws {
    _ = try write()
    let path = directory("a.gguf")
    #expect(
      throws: ErrataError(
        .baseMismatch, "\(path): is for the architecture 'llama', and the base's is 'gpt2'; it belongs to another model"
      )
    ) { try AdapterFile.read(path, for: .golden("gpt2")) }
    var bytes = try directory.read("a.gguf")
    let last = bytes.count - 4
    bytes.replaceSubrange(last..<last + 4, with: [0, 0, 0xC0, 0x7F])
    try AtomicFile.write(bytes, to: directory("nan.gguf"))
    // The last tensor is padded to a multiple of 32 bytes, and has as many.
    #expect(
      throws: ErrataError(
        .damagedInput,
        "\(directory("nan.gguf")): \"blk.1.ffn_down.weight.lora_b\" holds NaN or infinity; fetch the file again, or "
          + "train it anew")
    ) { try AdapterFile.read(directory("nan.gguf"), for: base) }
  }

  @Test func refusesArchitecturesAndMapsWithoutAName() throws {
    let opt = try AdapterBase.golden("opt")
    let adapter = opt.randomAdapter(ranks: [(opt.downProjection(0), 1)])
    #expect(
      throws: ErrataError(
        .general, "\(opt.checkpoint.path): llama.cpp does not run models of type 'opt'; export in PEFT's format")
    ) { try GGUFAdapter.write(adapter, for: opt, as: .f32, notes: [], to: directory("opt.gguf")) }
    let query = base.targets.first { $0.role == .query }!
    #expect(
      throws: ErrataError(
        .general,
        "\(base.checkpoint.path): the rows of \"\(query.tensor)\" stand in another order in GGUF files; export in "
          + "PEFT's format"
      )
    ) {
      try GGUFAdapter.write(
        base.randomAdapter(ranks: [(query, 1)]), for: base, as: .f32, notes: [], to: directory("q.gguf"))
    }
    #expect(try directory.names == [])
  }
}
