import Tensors

/// A low-rank adapter as llama.cpp loads it (`--lora FILE`): for a map's tensor `N` the tensors `N.lora_a`, with the
/// extents [d_in, r], and `N.lora_b`, [r, d_out]. One alpha serves the file, and each tensor is scaled by alpha / r.
package enum GGUFAdapter {
  private static let suffixes = (right: ".lora_a", left: ".lora_b")

  // MARK: - Writing

  /// - Parameters:
  ///   - adapter: padded.
  ///   - dtype: `.f32` or `.f16`.
  ///   - notes: further values for people, under `general.` or `errata.`.
  /// - Throws: an `ErrataError` if llama.cpp has no name for the architecture, or another order for a map's rows.
  static func write(
    _ adapter: LowRankAdapter, for base: AdapterBase, as dtype: DType, notes: [(key: String, value: GGUFFile.Value)],
    to path: String
  ) throws {
    guard let architecture = base.architecture.ggufName else {
      throw ErrataError.ggufUnknownArchitecture(base.checkpoint.path, base.architecture.family)
    }
    var writer = GGUFWriter()
    writer.append("general.type", .text("adapter"))
    writer.append("general.architecture", .text(ByteString(architecture)))
    writer.append("adapter.type", .text("lora"))
    writer.append("adapter.lora.alpha", .number(Double(adapter.rank)))
    for (key, value) in notes { writer.append(key, value) }
    for module in adapter.modules {
      guard let name = module.target.ggufName else {
        throw ErrataError.ggufUnknownTensor(base.checkpoint.path, module.target.tensor)
      }
      writer.append(name + suffixes.right, module.right, dtype)
      writer.append(name + suffixes.left, module.left, dtype)
    }
    try writer.write(to: path)
  }

  // MARK: - Reading

  /// - Throws: an `ErrataError` if the file is damaged, no adapter, or one for another base.
  static func read(_ path: String, for base: AdapterBase) throws -> LowRankAdapter {
    let file = try GGUFFile(path: path)
    func text(_ key: ByteString) -> String? {
      if case .text(let text)? = file.values[key] { text.description } else { nil }
    }
    guard text("general.type") == "adapter", text("adapter.type") == "lora" else {
      throw ErrataError.gguf(path, "it is a model, or an adapter of another kind")
    }
    let architecture = text("general.architecture") ?? ""
    guard architecture == base.architecture.ggufName else {
      throw ErrataError.ggufOtherArchitecture(path, architecture, base.architecture.ggufName)
    }
    let alpha = try alpha(file, path)
    var factors = FactorPairs(path: path)
    for tensor in file.tensors {
      let isLeft = tensor.name.hasSuffix(suffixes.left)
      guard isLeft || tensor.name.hasSuffix(suffixes.right) else {
        throw ErrataError.adapterUnsupported(path, "\"\(tensor.name)\" is no factor of a linear map")
      }
      let matrix = try FactorPairs.matrix(
        path, tensor.name, tensor.dtype, Shape(tensor.extents.reversed()), file.bytes(of: tensor))
      try factors.add(matrix, module: String(tensor.name.dropLast(suffixes.left.count)), isLeft: isLeft)
    }
    return try withExtendedLifetime(file) {
      try factors.adapter(
        for: base, missing: ("lora_a", "lora_b"), placement: { base.target(ggufName: $0).map(ModulePlacement.init) },
        // llama.cpp takes an alpha of 0 for no scale.
        scale: { _, rank in alpha == 0 ? 1 : alpha / Double(rank) })
    }
  }

  static func alpha(_ file: GGUFFile, _ path: String) throws -> Double {
    guard case .number(let alpha)? = file.values["adapter.lora.alpha"], alpha.isFinite else {
      throw ErrataError.gguf(path, "it has no adapter.lora.alpha")
    }
    return alpha
  }
}
