import Tensors
import WeightPatch

/// Some patches on their way into an adapter: what they say exactly, and what the file holds of it.
package struct AdapterExport: Sendable {
  package enum Format: String, Sendable, CaseIterable {
    case peft
    case gguf
  }

  package let base: AdapterBase
  package let patches: [PatchFile]
  /// As the patches say it, or cut to a rank.
  package let exact: LowRankAdapter
  /// As it is stored: terms balanced, all modules of one rank, rounded.
  package let stored: LowRankAdapter
  package let dtype: DType

  /// - Parameters:
  ///   - patches: all made for the base; a batch that two of them carry counts once.
  ///   - dtype: `.f32`, `.f16` or `.bf16`.
  ///   - rank: no module gets more terms.
  ///   - coversAllLayers: whether layers that the patches leave alone have zeros.
  /// - Throws: an `ErrataError` if the patches hold what no adapter can, or what the type cannot.
  package init(
    _ patches: [PatchFile], for base: AdapterBase, as dtype: DType, rank: Int? = nil, coversAllLayers: Bool = false
  ) throws {
    self.base = base
    self.patches = patches
    self.dtype = dtype
    let adapter = try LowRankAdapter(patches, for: base, rank: rank)
    exact = coversAllLayers ? adapter.coveringAllLayers(of: base) : adapter
    stored = try exact.balanced.padded.rounded(to: dtype)
  }

  /// Of each module, |D - D'| / |D'|, Frobenius: what narrow numbers cost.
  package var errors: [Double] { stored.differences(from: exact) }

  /// The ranks that vLLM has kernels for (`--max-lora-rank`, vLLM 0.11).
  package static let servedRanks = [1, 8, 16, 32, 64, 128, 256, 320, 512]
  /// What vLLM takes without being asked.
  private static let defaultServedRank = 16

  /// The rank that vLLM must be asked for; nil if it takes the adapter as it is, or not at all.
  package var servedRank: Int? {
    stored.rank <= Self.defaultServedRank ? nil : Self.servedRanks.first { $0 >= stored.rank }
  }

  /// Whether it has more terms than vLLM takes.
  package var isTooWideForVLLM: Bool { stored.rank > Self.servedRanks.last! }

  /// - Parameter path: of the output.
  /// - Throws: an `ErrataError` if something is there, or if nothing can be written there.
  package static func checkOutput(_ path: String) throws { try NewOutput.check(path) }

  /// Writes the adapter; it appears under its name only when it is complete, and was read back as what it should be.
  ///
  /// - Parameters:
  ///   - path: of a folder for PEFT, of a file for GGUF; nothing may be there.
  ///   - look: is given what a reader finds in it, before it has its name.
  /// - Throws: an `ErrataError` if it cannot be written; what `look` throws.
  package func write(
    to path: String, as format: Format, created: String, look: (LowRankAdapter) throws -> Void = { _ in }
  ) throws {
    let output = try NewOutput(path, isFolder: format == .peft)
    switch format {
    case .peft:
      try PEFTAdapter.write(stored, for: base, as: dtype, in: output.path)
      try AtomicFile.write(
        Array(ModelCard(self, path: path, created: created).text.utf8), to: output.path + "/README.md")
    case .gguf:
      try GGUFAdapter.write(stored, for: base, as: dtype, notes: notes, to: output.path)
    }
    let found = try AdapterFile.read(output.path, for: base)
    guard found.isSame(as: stored) else { throw ErrataError.adapterDoesNotReadBack(path) }
    try look(found)
    try output.commit()
  }

  /// Of one licence for all, or of none.
  var licence: String? {
    let licences = Set(patches.map(\.manifest.licence))
    return licences.count == 1 ? licences.first! : nil
  }

  package var facts: [Manifest.Fact] { patches.flatMap { $0.manifest.batches.flatMap(\.facts) } }

  private var notes: [(key: String, value: GGUFFile.Value)] {
    var notes: [(key: String, value: GGUFFile.Value)] = [
      ("general.name", .text(ByteString(patches.map(\.name).joined(separator: ", ")))),
      ("general.base_model.0.name", .text(ByteString(base.name))),
      ("errata.patches", .text(ByteString(patches.map(\.identifier.description).joined(separator: ",")))),
      ("errata.fact_count", .number(Double(facts.count))),
    ]
    if let licence { notes.append(("general.license", .text(ByteString(licence)))) }
    return notes
  }
}

extension LowRankAdapter {
  /// Whether it says the same of the same modules, bit for bit.
  func isSame(as other: LowRankAdapter) -> Bool {
    modules.count == other.modules.count
      && zip(modules, other.modules).allSatisfy {
        $0.target.tensor == $1.target.tensor && $0.scale == $1.scale && $0.left == $1.left && $0.right == $1.right
      }
  }
}
