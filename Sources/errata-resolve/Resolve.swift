import ArgumentParser
import CheckpointLedger
import PatchAlgebra
import Tensors
import ToolSupport
import WeightPatch

struct Resolve: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata resolve",
    abstract: "Solves a patch again with another slack, without the model.",
    discussion: """
      Less slack (lambda) makes the facts hold more firmly, more slack disturbs ordinary text less. A patch holds what \
      solving again takes: R = A (G + lambda I), then A' = R (G + lambda' I)^-1.

      Exact for each tensor, given the residual that it was solved for. In an edit of several layers the residuals of \
      later layers were measured on what earlier ones did at the old lambda; they are not measured again, and so it is \
      with later batches. Nor are probabilities: 'errata eval' measures them on the applied checkpoint.

      --budget and --short find the lambda, one for all tensors of a batch: the smallest that disturbs no more of \
      ordinary text's output, or the largest at which the facts lack no more.

      --tradeoff writes nothing. It tells what other slacks would cost and bring:
        preservation   how much ordinary text is disturbed, E |D k|^2, which is
                       tr(A G A^T) less what a ridge has in it, summed over the tensors
        short          how far facts fall short of their residuals, |D k - r| / |r|,
                       in the mean and at worst
      """,
    version: errataVersion)

  @Argument(help: "The patch, - for standard input.")
  var patch: String

  @OptionGroup
  var slack: SlackOptions

  @OptionGroup
  var goal: SlackGoalOptions

  @Option(parsing: .unconditional, help: "Only this batch (from 0; default: all).")
  var batch: Int?

  @Flag(help: "Print what other slacks would cost and bring.")
  var tradeoff = false

  @Flag(help: "With --tradeoff: every tensor for itself.")
  var perTensor = false

  @Option(name: [.short, .long], help: "The patch to write, - for standard output.")
  var output: String?

  @OptionGroup
  var replacement: ReplaceOption

  @OptionGroup
  var derivation: DerivationOptions

  @OptionGroup
  var json: JSONOption

  func validate() throws {
    if tradeoff {
      if slack.areGiven || goal.areGiven || output != nil || replacement.isAllowed || derivation.areGiven {
        throw ValidationError("--tradeoff writes no patch: it goes with --batch, --per-tensor and --json only")
      }
    } else {
      if perTensor { throw ValidationError("--per-tensor goes with --tradeoff") }
      if goal.areGiven && slack.areGiven { throw ValidationError("--budget and --short stand for --lambda") }
      if !goal.areGiven { _ = try chosenSlack() }
      if output == nil { throw ValidationError("give --output") }
    }
  }

  private func chosenSlack() throws -> Slack {
    try slack.choice(lambda: Slack.lambda, memit: Slack.memit(weight:), emmet: Slack.emmet(alpha:weight:))
  }

  func run() throws {
    if let output { try PatchWriter.checkOutput(output, inputs: [patch], replacing: replacement.isAllowed) }
    let file = try PatchFile(path: patch)
    if tradeoff {
      return json.give(TradeOffReport(tradeOff: try TradeOff(of: file, batch: batch), isPerTensor: perTensor))
    }
    var derived: DerivedPatch
    if let goal = goal.goal(budget: SlackGoal.budget, short: SlackGoal.short) {
      let found = try file.resolved(goal, batch: batch)
      derived = found.patch
      printNotice("errata resolve: lambda \(found.lambdas.map(formatNumber).joined(separator: ", "))")
    } else {
      derived = try file.resolved(chosenSlack(), batch: batch)
    }
    let trust = try PolicyOption.ofEnvironment.map(TrustPolicy.init)
    if let base = derivation.base {
      try derived.recordResult(onBase: LockedCheckpoint(path: base, notice: printNotice))
    }
    let written = try derived.write(
      to: output!, origin: derivation.origin())
    json.give(DerivedPatchReport(kind: "resolve", patch: written, path: output!, policy: trust))
  }
}
