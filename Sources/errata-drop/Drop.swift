import ArgumentParser
import CheckpointLedger
import PatchAlgebra
import Tensors
import ToolSupport
import WeightPatch

struct Drop: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata drop",
    abstract: "Takes facts out of a patch, without the model.",
    discussion: """
      The batches that held the facts are solved again without them, at the lambda that they record: also a batch of \
      EMMET that is left with one fact, for which 'errata edit' would take lambda 0. A batch that loses its last fact \
      goes.

      For one layer the result is the edit of the remaining facts alone, with the values that were found. For several \
      layers it is exact per layer given that layer's residual, which was measured while the dropped facts were in the \
      layers before. Probabilities are not measured again.
      """,
    version: errataVersion)

  @Argument(help: "The patch, - for standard input.")
  var patch: String

  @Option(
    name: .customLong("fact"), parsing: .singleValue,
    help: "The fact: its ID, the first digits of it, or the exact subject. May be repeated.")
  var facts: [String]

  @OptionGroup
  var output: PatchOutputOptions

  @OptionGroup
  var derivation: DerivationOptions

  @OptionGroup
  var json: JSONOption

  func run() throws {
    try PatchWriter.checkOutput(output.path, inputs: [patch], replacing: output.replacement.isAllowed)
    var derived = try PatchFile(path: patch).dropping(facts)
    let trust = try PolicyOption.ofEnvironment.map(TrustPolicy.init)
    if let base = derivation.base {
      try derived.recordResult(onBase: LockedCheckpoint(path: base, notice: printNotice))
    }
    let written = try derived.write(to: output.path, origin: derivation.origin())
    json.give(DerivedPatchReport(kind: "drop", patch: written, path: output.path, policy: trust))
  }
}
