import ArgumentParser
import CheckpointLedger
import PatchAlgebra
import Tensors
import ToolSupport
import WeightPatch

struct Compact: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata compact",
    abstract: "Makes a patch smaller: fewer terms, narrower numbers, or harder compression.",
    discussion: """
      Three ways, alone or together, from the dearest to the cheapest:

      --tolerance or --rank cuts every batch to fewer terms: the nearest change of smaller rank, by the norm of \
      --norm. The terms then belong to no single fact: facts stay listed, but 'errata drop' and 'errata resolve' \
      cannot solve the batch again. Facts ask for independent things, so few terms can be spared; the report says what \
      the facts lose.

      --factors stores the factors in other types. Facts stay facts. float16 costs about a thousandth of what a fact \
      asks for, int8 some percent (more where the keys are alike) and halves the file once more.

      --compression-level alone packs the same content anew: the patch ID and signatures stay.

      Probabilities are not measured again: 'errata eval' does that on the applied checkpoint.
      """,
    version: errataVersion)

  @Argument(help: "The patch, - for standard input.")
  var patch: String

  @Option(
    parsing: .unconditional,
    help: "Cut to the smallest rank that loses no more than this share of the change, like 0.05.")
  var tolerance: Double?

  @Option(parsing: .unconditional, help: "Cut to this many terms a batch.")
  var rank: Int?

  @Option(
    help: ArgumentHelp(
      "What is to be kept when terms are cut: facts, text or weights (default: facts).",
      discussion: """
        facts: what the change does at the keys of its facts, each counting the same. text: what it does to ordinary \
        text, tr(D C D^T). weights: the change itself, in the Frobenius norm; the only one for batches without a Gram \
        matrix.
        """))
  var norm: CompactionNorm?

  @Option(
    help: ArgumentHelp(
      "How to store the factors: auto, f32, f16, i8, or a type for A and one for B, like f16,i8.",
      discussion:
        "Default: as they are; if terms are cut, auto: the narrowest of f16 and f32 that cost next to nothing."))
  var factors: FactorTypes?

  @Option(
    parsing: .unconditional,
    help: "zstd's compression level, 1 to 22 (default: \(PatchWriter.defaultCompressionLevel)).")
  var compressionLevel: Int?

  @Option(parsing: .unconditional, help: "Only this batch (from 0; default: all).")
  var batch: Int?

  @OptionGroup
  var output: PatchOutputOptions

  @OptionGroup
  var derivation: DerivationOptions

  @OptionGroup
  var json: JSONOption

  func validate() throws {
    if let tolerance, !(tolerance > 0 && tolerance < 1) {
      throw ValidationError("--tolerance must be between 0 and 1")
    }
    if let rank, rank < 1 { throw ValidationError("--rank must be positive") }
    if tolerance != nil, rank != nil { throw ValidationError("give --tolerance or --rank, not both") }
    if norm != nil, extent == nil { throw ValidationError("--norm goes with --tolerance or --rank") }
    if let compressionLevel, !PatchWriter.compressionLevels.contains(compressionLevel) {
      throw ValidationError("--compression-level must be from 1 to 22")
    }
    if extent == nil, factors == nil {
      guard compressionLevel != nil else {
        throw ValidationError("give --tolerance or --rank, --factors, or --compression-level")
      }
      if derivation.areGiven || batch != nil {
        throw ValidationError(
          "--compression-level alone leaves the content as it is: --base, --author and --batch go with the other ways")
      }
    }
  }

  private var extent: CompactionExtent? { tolerance.map { .tolerance($0) } ?? rank.map { .rank($0) } }

  func run() throws {
    try PatchWriter.checkOutput(output.path, inputs: [patch], replacing: output.replacement.isAllowed)
    let trust = try PolicyOption.ofEnvironment.map(TrustPolicy.init)
    let reader = try PatchReader(copying: patch)
    let isSameContent = extent == nil && factors == nil
    let written = try isSameContent ? recompress(reader) : compact(PatchFile(reader))
    let report = CompactionReport(
      patch: written, path: output.path, byteCount: written.writtenByteCount!,
      byteCountBefore: reader.byteCount, isSameContent: isSameContent, policy: trust)
    json.give(report)
  }

  private func recompress(_ reader: PatchReader) throws -> Patch {
    try PatchWriter.recompress(reader, compressionLevel: compressionLevel!, to: output.path)
  }

  private func compact(_ file: PatchFile) throws -> Patch {
    var derived =
      if let extent {
        try file.compacted(to: extent, in: norm ?? .facts, as: factors, batch: batch)
      } else {
        try file.stored(as: factors!, batch: batch)
      }
    if let base = derivation.base {
      try derived.recordResult(onBase: LockedCheckpoint(path: base, notice: printNotice))
    }
    return try derived.write(
      to: output.path, origin: derivation.origin(),
      compressionLevel: compressionLevel ?? PatchWriter.defaultCompressionLevel)
  }
}

extension CompactionNorm: ExpressibleByArgument {}
extension FactorTypes: ExpressibleByArgument {}
