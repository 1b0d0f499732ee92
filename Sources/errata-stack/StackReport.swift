import Foundation
import PatchAlgebra
import Tensors
import ToolSupport
import WeightPatch

/// What `errata stack` says.
struct StackReport: Answer {
  let kind = "stack"

  let stack: PatchStack
  let settlement: StackSettlement
  let interference: Interference
  let stacked: StackedPatch
  let isResolved: Bool
  /// The least share that is reported.
  let threshold: Double
  /// The patch and its path, unless nothing was written.
  let written: (patch: Patch, path: String)?
  /// The policy that ERRATA_POLICY names.
  let policy: TrustPolicy?

  private static let rowLimit = 20

  private var reported: [Interference.Entry] { interference.entries.filter { $0.share >= threshold } }

  // MARK: For people

  var lines: [String] {
    var lines = interferenceLines
    for loser in settlement.losers {
      let again = isResolved ? "" : "; its batch is solved again without it"
      lines.append("left out \(name(loser.fact, loser.path)) for \(name(loser.winner, loser.winnerPath))\(again)")
    }
    lines.append(
      "\(written.map { "\(printable($0.path)): patch \($0.patch.identifier.abbreviated)" } ?? "nothing written"), "
        + "\(content)"
    )
    return lines
  }

  private var content: String {
    let batches = stacked.manifest.batches
    let facts = Set(batches.flatMap { $0.facts.map(\.identifier) }).count
    // A difference of checkpoints has terms that are for no facts.
    let terms = zip(batches, stacked.batches).filter { $0.0.facts.isEmpty }.reduce(0) { $0 + $1.1.factCount }
    let parts = [
      facts > 0 ? counted(facts, "fact") : nil, terms > 0 ? counted(terms, "term") : nil,
    ].compactMap(\.self)
    let what = parts.isEmpty ? "corrections" : parts.joined(separator: " and ")
    let lambdas = Set(batches.map(\.method.lambda)).sorted().map(formatNumber)
    let how =
      isResolved
      ? "solved as one, lambda \(lambdas.joined(separator: ", "))"
      : "\(counted(batches.count, "batch", "batches")) side by side"
    let tensors = counted(stacked.manifest.base.tensors.count, "tensor")
    return "\(what) in \(tensors), from \(counted(stack.files.count, "patch", "patches")): \(how)"
  }

  private var interferenceLines: [String] {
    guard let largest = interference.entries.first else { return [] }
    guard !reported.isEmpty else {
      return ["no fact is disturbed by \(share(threshold)) of its residual or more (at most \(share(largest.share)))"]
    }
    var table = TextTable([
      ("fact", .left), ("subject", .left), ("patch", .left), ("disturbed by", .left), ("share", .right),
      ("mostly by", .left), ("alone", .right), ("tensor", .left),
    ])
    for entry in reported.prefix(Self.rowLimit) {
      table.append([
        entry.fact.identifier, elide(printable(entry.fact.subject), to: 32), shownPath(entry.path),
        shownPath(entry.otherPath),
        share(entry.share), entry.cause.map { elide(printable($0.fact.subject), to: 32) } ?? "-",
        share(entry.cause?.share), printable(entry.tensor.description),
      ])
    }
    var lines = ["where the edits are summed:"] + table.lines
    if reported.count > Self.rowLimit {
      lines.append("… and \(reported.count - Self.rowLimit) more (--json lists all)")
    }
    return lines + [""]
  }

  /// What goes to standard error.
  var notices: [String] {
    var notices: [String] = []
    if !interference.unknown.isEmpty {
      let pairs = interference.unknown.map { $0.joined(separator: " and ") }.joined(separator: ", ")
      notices.append(
        "note: interference is not predicted between \(pairs): that takes the keys of one of them ('errata edit "
          + "--keys') or --stats")
    }
    if !isResolved, !settlement.repeated.isEmpty {
      let names = settlement.repeated.map { "\($0.identifier) (\($0.subject))" }.joined(separator: ", ")
      notices.append(
        "note: more than one patch brings \(names), and the sum applies it more than once; --resolve counts it once")
    }
    return notices + (written.map { policy.notes(onNewPatch: $0.path) } ?? [])
  }

  /// In a table the file's name will do, where it tells the patches apart.
  private func shownPath(_ path: String) -> String {
    let names = Set(stack.files.map(\.name))
    return printable(names.count == stack.files.count ? URL(fileURLWithPath: path).lastPathComponent : path)
  }

  private func name(_ fact: Manifest.Fact, _ path: String) -> String {
    printable("\(fact.identifier) (\(fact.subject): \(fact.targetNew), \(path))")
  }

  private func share(_ value: Double?) -> String { formatShare(value, digits: 3) }

  // MARK: For programs

  var json: JSON {
    [
      "output": JSON(written?.path), "patch": JSON(written?.patch.identifier),
      "stacked_from": .array(stack.files.map(\.json)), "resolved": .bool(isResolved),
      "batches": .array(
        stacked.manifest.batches.map { batch in
          [
            "digest": JSON(batch.digest), "lambda": .double(batch.method.lambda),
            "facts": .array(batch.facts.map { JSON($0.identifier) }),
          ]
        }),
      "parents": .array(stacked.manifest.parents.map { JSON($0.patch) }),
      "left_out_facts": .array(
        settlement.losers.map {
          [
            "fact": JSON($0.fact.identifier), "file": JSON($0.path), "for": JSON($0.winner.identifier),
            "for_file": JSON($0.winnerPath),
          ]
        }),
      "repeated": .array(settlement.repeated.map { JSON($0.identifier) }),
      "interference": [
        "threshold": .double(threshold), "facts": .array(reported.map(\.json)),
        "largest": JSON(interference.entries.first?.share),
        "not_predicted": .array(interference.unknown.map { .array($0.map { JSON($0) }) }),
      ],
    ]
  }
}

extension Interference.Entry {
  fileprivate var json: JSON {
    [
      "fact": JSON(fact.identifier), "subject": JSON(fact.subject), "file": JSON(path), "disturbed_by": JSON(otherPath),
      "share": .double(share), "tensor": .string(tensor),
      "mostly_by": JSON(cause?.fact.identifier), "mostly_by_share": JSON(cause?.share),
    ]
  }
}
