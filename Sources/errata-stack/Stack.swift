import ArgumentParser
import CheckpointLedger
import PatchAlgebra
import SecondMomentStatistics
import Tensors
import ToolSupport
import WeightPatch

struct Stack: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata stack",
    abstract: "Makes one patch of several, without the model.",
    discussion: """
      By default the batches of all patches stand in the new one side by side: applying it gives the same bytes as \
      applying the patches. A batch that several carry counts once.

      Edits that were computed apart know nothing of each other: each moves the other's facts a little off their mark. \
      How much is predicted, |D_B k_a| / |r_a|, what patch B does at the key of fact a as a share of what a asks for. \
      With --resolve all facts are solved as one batch per layer instead, from the residuals that the factors give. \
      For one layer that is the edit of all facts at once, with the values that were found for them. For several \
      layers it is exact per layer, given the residuals that were measured while each patch's own edits stood in the \
      layers before.

      Both take keys: those that a patch carries ('errata edit --keys'; of two patches one is enough), or second \
      moments (--stats), from which K = C U. --resolve takes patches that were solved with the same second moments.

      Patches for different models are refused with exit code 3: by the digests of a tensor that both edit, else by \
      what they say of config.json, tokenizer.json and the architecture.

      Facts of different patches that answer the same question, or the same relation of the same subject, differently \
      are refused with exit code 4; --prefer says which stays. The other one's batch is solved again without it, as by \
      'errata drop'. A patch that was computed on top of another may correct it. Probabilities are not measured again.
      """,
    version: errataVersion)

  @Argument(help: "The patches, - for standard input.")
  var patches: [String]

  @Option(name: [.short, .long], help: "The patch to write, - for standard output.")
  var output: String?

  @OptionGroup
  var replacement: ReplaceOption

  @Flag(help: "Solve all facts as one batch per layer.")
  var resolve = false

  @OptionGroup(title: "With --resolve (default: the lambda that all patches have)")
  var slack: SlackOptions

  @Option(help: "The second moments that the patches were solved with, for keys that they do not carry.")
  var stats: String?

  @Option(
    parsing: .singleValue,
    help: """
      Of facts that contradict each other keep that of the 'first' or 'last' patch, or the one with this ID, or of the \
      patch with this ID. May be repeated.
      """)
  var prefer: [String] = []

  @Option(parsing: .unconditional, help: "Report what disturbs a fact by this share of its residual or more.")
  var threshold = 0.2

  @Option(help: "The checkpoint that the patches are for: records the digests of the result.")
  var base: String?

  @OptionGroup
  var origin: OriginOptions

  @Flag(help: "Check and report, write nothing.")
  var dryRun = false

  @OptionGroup
  var json: JSONOption

  func validate() throws {
    if patches.isEmpty || (patches.count == 1 && !resolve) {
      throw ValidationError("name at least two patches, or one with --resolve")
    }
    if slack.areGiven {
      guard resolve else { throw ValidationError("--lambda, --method, --alpha and -w go with --resolve") }
      _ = try chosenSlack()
    }
    if !(threshold >= 0) || !threshold.isFinite { throw ValidationError("--threshold must be zero or more") }
    if output == nil && !dryRun { throw ValidationError("give --output") }
  }

  private func chosenSlack() throws -> Slack {
    try slack.choice(lambda: Slack.lambda, memit: Slack.memit(weight:), emmet: Slack.emmet(alpha:weight:))
  }

  func run() throws {
    if let output { try PatchWriter.checkOutput(output, inputs: patches, replacing: replacement.isAllowed) }
    let stack = try PatchStack(try patches.map { try PatchFile(path: $0) })
    let settlement = try stack.settled(
      prefer.map { $0 == "first" ? .first : $0 == "last" ? .last : .identifier($0) })
    let statistics = try stats.map(SecondMoments.init(contentsOf:))
    let interference = try stack.interference(settlement, statistics: statistics)
    var stacked =
      resolve
      ? try stack.resolved(settlement, slack: slack.areGiven ? chosenSlack() : nil, statistics: statistics)
      : try stack.summed(settlement)
    let trust = try PolicyOption.ofEnvironment.map(TrustPolicy.init)
    if let base { try stacked.recordResult(onBase: LockedCheckpoint(path: base, notice: printNotice)) }
    let written =
      dryRun
      ? nil
      : try stacked.write(to: output!, origin: origin.origin())
    let report = StackReport(
      stack: stack, settlement: settlement, interference: interference, stacked: stacked, isResolved: resolve,
      threshold: threshold, written: written.map { ($0, output!) }, policy: trust)
    json.give(report)
  }
}
