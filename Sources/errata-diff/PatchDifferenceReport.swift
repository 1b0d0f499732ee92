import Foundation
import PatchAlgebra
import Tensors
import ToolSupport
import WeightPatch

/// What is said of two patches.
struct PatchDifferenceReport: Answer {
  let kind = "diff.patches"

  let first: PatchFile
  let second: PatchFile
  let difference: PatchDifference

  var lines: [String] {
    var lines = [describe("A", first), describe("B", second)]
    guard difference.isDifferent else { return lines + ["They make the same edits."] }
    if difference.isSameButForRounding { lines.append("But for rounding, they make the same change.") }
    let others = difference.tensorsOfOtherBases
    if !others.isEmpty {
      lines.append("made for different bases: \(printable(others.map(\.description).joined(separator: ", ")))")
    }
    lines.append(
      "facts: \(difference.added.count) added, \(difference.removed.count) removed, \(difference.changed.count) "
        + "changed, \(difference.sharedFactCount) the same; batches in both: \(difference.sharedBatchCount)")
    let facts = factTable
    return lines + (facts.isEmpty ? [] : [""] + facts) + [""] + tensorTable
  }

  private func describe(_ letter: String, _ file: PatchFile) -> String {
    printable("\(letter)  patch \(file.identifier.abbreviated), \(file.extent): \(file.path)")
  }

  private var factTable: [String] {
    var table = TextTable([
      ("", .left), ("fact", .left), ("subject", .left), ("prompt", .left), ("target", .left),
    ])
    func append(_ mark: String, _ fact: Manifest.Fact, _ target: String) {
      table.append([
        mark, fact.identifier, elide(printable(fact.subject), to: 32), elide(printable(fact.prompt), to: 48),
        elide(printable(target), to: 48),
      ])
    }
    for fact in difference.removed { append("-", fact, fact.targetNew) }
    for fact in difference.added { append("+", fact, fact.targetNew) }
    for fact in difference.changed {
      append("~", fact.after, "\(fact.before.targetNew) => \(fact.after.targetNew)")
    }
    let isEmpty = difference.removed.isEmpty && difference.added.isEmpty && difference.changed.isEmpty
    return isEmpty ? [] : table.lines
  }

  private var tensorTable: [String] {
    let isCorrected = difference.tensors.contains { $0.firstCorrectedCount + $0.secondCorrectedCount > 0 }
    var table = TextTable(
      [
        ("tensor", .left), ("|A|", .right), ("|B|", .right), ("|A-B|", .right), ("cosine", .right), ("rank A", .right),
        ("rank B", .right), ("columns", .right), ("rows", .right),
      ] + (isCorrected ? [("corrected A", .right), ("corrected B", .right)] : []))
    for tensor in difference.tensors {
      func rank(_ norm: Double?, _ rank: Int) -> String { norm == nil ? "-" : "\(rank)" }
      table.append(
        [
          printable(tensor.name.description), formatNumber(tensor.firstNorm), formatNumber(tensor.secondNorm),
          formatNumber(tensor.differenceNorm), formatNumber(tensor.cosine), rank(tensor.firstNorm, tensor.firstRank),
          rank(tensor.secondNorm, tensor.secondRank), angles(tensor.columnAngles), angles(tensor.rowAngles),
        ] + (isCorrected ? ["\(tensor.firstCorrectedCount)", "\(tensor.secondCorrectedCount)"] : []))
    }
    return table.lines
  }

  /// The smallest and the largest, in degrees.
  private func angles(_ radians: [Double]) -> String {
    guard let first = radians.first, let last = radians.last else { return "-" }
    func degrees(_ angle: Double) -> String { String(format: "%.3g", angle * 180 / .pi) }
    return radians.count == 1 ? "\(degrees(first))°" : "\(degrees(first))°..\(degrees(last))°"
  }

  var json: JSON {
    [
      "first": first.json, "second": second.json, "different": .bool(difference.isDifferent),
      "same_but_for_rounding": .bool(difference.isSameButForRounding),
      "facts": [
        "added": .array(difference.added.map(\.answer)), "removed": .array(difference.removed.map(\.answer)),
        "changed": .array(difference.changed.map { ["before": $0.before.answer, "after": $0.after.answer] }),
        "shared": .integer(difference.sharedFactCount),
      ], "shared_batches": .integer(difference.sharedBatchCount),
      "tensors_of_other_bases": .array(difference.tensorsOfOtherBases.map(JSON.string)),
      "tensors": .array(
        difference.tensors.map { tensor in
          [
            "tensor": .string(tensor.name), "norm_first": JSON(tensor.firstNorm),
            "norm_second": JSON(tensor.secondNorm), "norm_difference": JSON(tensor.differenceNorm),
            "cosine": JSON(tensor.cosine), "rank_first": .integer(tensor.firstRank),
            "rank_second": .integer(tensor.secondRank),
            "column_angles": .array(tensor.columnAngles.map { JSON($0) }),
            "row_angles": .array(tensor.rowAngles.map { JSON($0) }),
            "corrected_first": .integer(tensor.firstCorrectedCount),
            "corrected_second": .integer(tensor.secondCorrectedCount),
          ]
        }),
    ]
  }
}
