import ArgumentParser
import EditEvaluation
import FactReporting
import Facts
import KnowledgeEditing
import Tensors
import ToolSupport

struct FactsTool: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata facts", abstract: "Says what a model makes of facts before they are edited.",
    version: errataVersion, subcommands: [Check.self])
}

struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Shows how a model takes facts and what it says now.",
    discussion: """
      For each fact: the target with what stands before it, how many tokens prompt and target have, the token at \
      which the edit is written (the subject's last one), and what the model says now. Then: facts that cannot be \
      used, contradict or repeat each other or share a subject, targets that the model would write otherwise, and \
      what an edit costs here, with the settings published for the model. If 'errata edit' would refuse the file, the \
      exit code is 1.
      """)

  @Argument(
    help: "A facts file, as for 'errata edit'; a patch or an edited checkpoint is one too; - for standard input.")
  var facts: String

  @Argument(help: "The checkpoint's directory, or the model's name in the download cache.")
  var model: String

  @Option(help: "Which records of it, like 0-9 (default: all).")
  var records: String?

  @Flag(help: "Leave out records that cannot be read, each named on standard error, instead of refusing the file.")
  var skipInvalid = false

  @OptionGroup
  var form: FormOptions

  @OptionGroup
  var prefix: TargetPrefixOption

  @OptionGroup
  var json: JSONOption

  @Flag(help: "Show no progress.")
  var quiet = false

  func run() throws {
    let invalid = InvalidRecords(areSkipped: skipInvalid) { printNotice("errata facts: \($0)") }
    let given = try FactRecord.read(facts, selection: records, invalid: invalid)
    let model = try LanguageModel(path: model, notice: printNotice)
    let put = try form.forms(model, prefix).applied(to: given)
    Interruption.install()
    let progress = Progress("facts", unit: "facts", total: given.count, isQuiet: quiet)
    let check = try FactCheck(put, model) { done in
      progress.update(completed: done)
      return !Interruption.isRequested
    }
    progress.finish()
    let settings =
      Preset.matching(model.architecture)?.settings(for: .emmet) ?? Preset.fallback(.emmet, model.architecture)
    let report = FactCheckReport(check, path: facts, estimate: try check.estimate(model, settings))
    json.give(report)
    try report.requireUsable()
  }
}
