import ArgumentParser
import CheckpointLedger
import Tensors
import ToolSupport
import WeightPatch

struct Show: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata show",
    abstract: "Says what a patch changes, where it comes from, and what it costs; or which patches a checkpoint has.",
    discussion: """
      Of a patch, everything is read or computed from the file alone, without model or text:
        preservation   how much ordinary text is disturbed, E |D k|^2, which is
                       tr(A G A^T) less what a ridge has in it; as a share of the mean
                       squared output where the patch records that
        short          how far a fact falls short of its residual, |D k - r| / |r|, in
                       the layer where it is worst
        disturbed      what an adapter in the same patch does at the fact's key, as a
                       share of its residual, |D k| / |r|, in the tensors that both
                       change; from the keys that the patch carries
        size           what a batch takes in the file, and that by its facts, where
                       batches differ in it

      --tradeoff computes both for other slacks, as 'errata resolve --tradeoff' does. The whole file is checked first: \
      seal, checksums, digests, sizes. Its signatures are listed; 'errata verify' checks them, given keys. Of a file \
      above \(formatBytes(Self.wholeFileLimit)), or one whose figures take long to compute, only the header is read, \
      unless --full is given: then the figures are those that the manifest records, and neither they nor the rest are \
      proven. 'errata verify' proves a patch of any size.

      Of a checkpoint, the ledger: the applied patches, their facts, and the edited tensors with their digests as \
      recorded. 'errata verify' checks whether that is so. Several patches and checkpoints are shown one after \
      another; --json then gives an array.
      """,
    version: errataVersion)

  @Argument(help: "Patch files, - for standard input, or checkpoints: directories, or single .safetensors files.")
  var paths: [String]

  @Option(help: "Only the facts with this in their subject, or with an ID that begins so (four digits or more).")
  var fact: String?

  @Flag(help: "Of a patch: what other slacks would cost and bring.")
  var tradeoff = false

  @Flag(help: "Read and check the whole patch however large it is, and compute its ID and its figures.")
  var full = false

  @OptionGroup
  var json: JSONOption

  /// What is read and computed in a moment.
  private static let wholeFileLimit = 16_000_000
  private static let elementLimit = 12_000_000
  private static let multiplicationLimit = 2e9

  func validate() throws {
    if tradeoff && paths.count > 1 { throw ValidationError("--tradeoff is of one patch") }
    if tradeoff && fact != nil { throw ValidationError("--tradeoff and --fact exclude each other") }
    if fact == "" { throw ValidationError("--fact needs a subject, or a part of one, or the first digits of an ID") }
  }

  func run() throws {
    if tradeoff { try showTradeOff() }
    try json.giveEach(of: Self.self, paths, separated: true) { path, give in
      give(try namesCheckpoint(path) ? showCheckpoint(path) : showPatch(path))
    }
  }

  private func showPatch(_ path: String) throws -> any Answer {
    let report: PatchReport
    // Of a stream there is no part without the rest.
    let isSmall = try InputStreams.isOne(path) || MappedFile(path: path).bytes.count <= Self.wholeFileLimit
    let reader =
      try InputStreams.isOne(path) ? PatchReader(copying: path) : PatchReader(path: path, checksSeal: full || isSmall)
    let cost = reader.figureCost
    let isCheap = cost.elements <= Self.elementLimit && cost.multiplications <= Self.multiplicationLimit
    if full || isSmall && isCheap {
      let file = try PatchFile(reader)
      report = PatchReport(
        file.patch, path: reader.source, byteCount: reader.byteCount,
        batchByteCounts: reader.manifest.batches.indices.map(reader.byteCount(ofBatch:)),
        signatures: PatchSignature.read(file))
    } else {
      report = PatchReport(header: reader, path: reader.source)
    }
    return try selected(report.listedFacts, of: path, isCheckpoint: false) ?? report
  }

  /// Solving again takes linear algebra, which this tool does not carry.
  private func showTradeOff() throws -> Never {
    if namesCheckpoint(paths[0]) { throw ErrataError.tradeOffOfCheckpoint(paths[0]) }
    becomeTool("resolve", ["--tradeoff"] + (json.isGiven ? ["--json"] : []) + ["--", paths[0]], as: "errata show")
    throw ErrataError.noResolveTool
  }

  private func showCheckpoint(_ path: String) throws -> any Answer {
    let report = CheckpointReport(try CheckpointState(path: path, notice: printNotice))
    return try selected(report.facts, of: path, isCheckpoint: true) ?? report
  }

  /// The facts that are asked for; nil if the whole report is.
  private func selected(_ facts: [ListedFact], of path: String, isCheckpoint: Bool) throws -> FactReport? {
    guard let fact else { return nil }
    let found = facts.filter { $0.matches(fact) }
    guard !found.isEmpty else { throw ErrataError.noSuchFact(path, fact) }
    return FactReport(path: path, isCheckpoint: isCheckpoint, facts: found)
  }
}
