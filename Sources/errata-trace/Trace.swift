import Adapters
import ArgumentParser
import Facts
import Foundation
import KnowledgeEditing
import Tensors
import ToolSupport
import WeightPatch

struct Trace: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata trace",
    abstract: "Says which edits fire on a prompt, at which token and how strongly.",
    discussion: """
      For each fact, in each layer that its patch edits, the token of the prompt at which it fires most strongly. What \
      is measured at a token is the norm of what the fact's term adds to the output of the layer's down-projection, \
      |A_e (B_e . k)| for the key k there, in percent of the norm of the residual stream that leaves the layer. (Gemma \
      2 normalizes the output of the down-projection: there, in percent of the norm of that output.) A whole batch \
      adds |D k|; its terms may cancel one another. A compacted batch has components instead of facts, and is listed \
      as a whole.

      A term that fires strongly is not yet the cause of an answer: the first line says what the model answers with \
      the patches and without them.

      Patches that edit other tensors, or with corrections ('errata diff'), are traced where they can be; the others \
      are named on standard error.

      Traced are the patches that are applied to the checkpoint, and those given by --patch as if they were: the exact \
      weights are computed in memory, and nothing is written. An adapter given by --adapter stands beside the weights, \
      as a server adds it; its terms belong to no fact, and it is listed as a whole.
      """,
    version: errataVersion)

  @Argument(help: "The checkpoint's directory: one with patches, or the base of the patches given by --patch.")
  var model: String

  @Argument(help: "The prompts.")
  var prompts: [String]

  @Option(
    name: .customLong("patch"), parsing: .singleValue,
    help: "A patch to be traced as if it were applied. May be repeated.")
  var patches: [String] = []

  @Option(parsing: .singleValue, help: "A PEFT folder or GGUF adapter to be traced too. May be repeated.")
  var adapter: [String] = []

  @Flag(help: "Trace patches given by --patch also on a base that they were not made for, or without their parents.")
  var force = false

  @Option(parsing: .unconditional, help: "How many facts to list at most.")
  var top = 10

  @Option(parsing: .unconditional, help: "List what fires with at least this share of the stream: 0.05 for 5 percent.")
  var threshold = 0.0

  @OptionGroup
  var json: JSONOption

  func validate() throws {
    if top < 1 { throw ValidationError("--top must be positive") }
    if !(threshold >= 0 && threshold.isFinite) { throw ValidationError("--threshold must not be negative") }
  }

  func run() throws {
    let base = try PatchedModel(
      OpenedCheckpoint(path: model, notice: printNotice), with: patches.map { try PatchFile(path: $0) }, force: force)
    if !base.plan.fitsBase { printNotice("note: traced by force on a base that the patch was not made for") }
    for file in base.plan.withoutParents {
      printNotice("note: \(printable(file.path)): traced by force without the patches that it was computed on top of")
    }
    guard !base.plan.patches.isEmpty || !adapter.isEmpty else {
      throw ErrataError.nothingToTrace(model)
    }
    let result = try base.trace(prompts, beside: besides(base.checkpoint))
    if !result.untraced.isEmpty {
      printNotice("note: \(ErrataError.cannotBeTraced(result.untraced))")
    }
    let tokenization = PromptTokenization(try base.model().tokenizer)
    let reports = result.prompts.map {
      TraceReport($0, batches: result.batches, tokenization: tokenization, top: top, threshold: threshold)
    }
    json.give(reports, separated: true)
  }

  private func besides(_ checkpoint: OpenedCheckpoint) throws -> [(traced: TracedBatch, batch: EditBatch)] {
    guard !adapter.isEmpty else { return [] }
    let base = try AdapterBase(checkpoint.checkpoint)
    return try adapter.map { path in
      let batch = try AdapterFile.read(path, for: base).batch()
      let name = URL(fileURLWithPath: path).lastPathComponent
      return (
        TracedBatch(batch, method: ImportedAdapter.method, digest: try AdapterFile.digest(path), name: name), batch
      )
    }
  }
}
