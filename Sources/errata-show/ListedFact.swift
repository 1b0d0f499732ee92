import Tensors
import ToolSupport
import WeightPatch

/// A fact, and the patch that it comes from.
struct ListedFact {
  let fact: Manifest.Fact
  /// Nil if the patch's ID was not computed.
  let patch: Digest?
  /// The name of the file that the patch came in.
  let patchName: String

  /// The facts of a patch, in its order.
  static func all(in manifest: Manifest, patch: Digest?, name: String) -> [ListedFact] {
    manifest.batches.flatMap(\.facts).map { ListedFact(fact: $0, patch: patch, patchName: name) }
  }

  /// Whether `text` stands in the subject, in upper or lower case, or begins the ID (four digits at least: fewer would
  /// match by chance).
  func matches(_ text: String) -> Bool {
    let text = text.lowercased()
    return fact.subject.lowercased().contains(text) || (text.utf8.count >= 4 && fact.identifier.hasPrefix(text))
  }

  var json: JSON {
    var object = fact.answer.objectValue!
    object["patch"] = JSON(patch)
    object["patch_name"] = JSON(patchName)
    return .object(object)
  }
}

/// What `errata show --fact` says of a patch or a checkpoint.
struct FactReport: Answer {
  let kind = "show.facts"

  let path: String
  let isCheckpoint: Bool
  let facts: [ListedFact]

  var lines: [String] { ListedFact.table(facts, isElided: false) }

  var json: JSON { [isCheckpoint ? "checkpoint" : "file": JSON(path), "facts": .array(facts.map(\.json))] }
}

// MARK: - Tables

extension ListedFact {
  /// A table with a row for every fact.
  ///
  /// - Parameter isElided: shortens long texts.
  static func table(_ facts: [ListedFact], isElided: Bool) -> [String] {
    var table = TextTable(Manifest.Fact.columns + [("patch", .left)])
    for listed in facts { table.append(listed.fact.cells(isElided: isElided) + [listed.patch?.abbreviated ?? "-"]) }
    return table.lines
  }
}

extension Manifest.Fact {
  /// What every table of facts begins with.
  static var columns: [(header: String, alignment: TextTable.Alignment)] {
    [
      ("fact", .left), ("subject", .left), ("prompt", .left), ("old -> new", .left), ("P/token before", .right),
      ("P/token after (when made)", .right), ("joint after", .right),
    ]
  }

  /// The cells of these columns.
  func cells(isElided: Bool) -> [String] {
    func text(_ text: String, _ width: Int) -> String { isElided ? elide(printable(text), to: width) : printable(text) }
    let old = targetTrue.map { text($0, 24) + " " } ?? ""
    return [
      identifier, text(subject, 32), text(prompt, 48), "\(old)-> \(text(targetNew, 24))",
      formatPercent(outcome?.probabilityBefore), formatPercent(outcome?.probabilityAfter),
      formatPercent(outcome?.jointProbabilityAfter),
    ]
  }
}
