import CheckpointLedger
import Tensors
import ToolSupport
import WeightPatch

/// What `errata show` knows about a checkpoint: what its ledger and the patches in it say. Tensors are not read.
struct CheckpointReport: Answer {
  let kind = "show.checkpoint"

  let path: String
  let ledger: Ledger
  private let patches: [PatchFile]
  /// Per patch; not checked: for that it takes keys.
  private let signatures: [[PatchSignature]]

  init(_ state: CheckpointState) {
    path = state.checkpoint.path
    ledger = state.ledger
    patches = state.patches
    signatures = state.patches.map { PatchSignature.read($0) }
  }

  /// The patches with what the ledger says of them, in the order in which they were applied.
  var applied: [(entry: Ledger.Entry, patch: PatchFile)] { Array(zip(ledger.patches, patches)) }

  /// The facts of all patches; what two patches carry comes twice.
  var facts: [ListedFact] {
    applied.flatMap { ListedFact.all(in: $0.patch.manifest, patch: $0.entry.patch, name: $0.entry.name) }
  }

  /// Facts of different patches that cannot both hold. A patch that was computed on top of another may correct it.
  var contradictions: [(first: (fact: Manifest.Fact, patch: Digest), second: (fact: Manifest.Fact, patch: Digest))] {
    let carried = applied.flatMap { entry, patch in
      patch.manifest.batches.flatMap(\.facts).map { (fact: $0, patch: entry.patch) }
    }
    let parents = Dictionary(
      applied.map { ($0.entry.patch, Set($0.patch.manifest.parents.map(\.patch))) }, uniquingKeysWith: { $1 })
    return Contradiction.all(among: carried.map(\.fact)).map { (carried[$0.first], carried[$0.second]) }.filter {
      let (first, second) = ($0.0.patch, $0.1.patch)
      return first != second && parents[first]?.contains(second) != true && parents[second]?.contains(first) != true
    }
  }

  /// The patches that edit a tensor.
  private func patches(editing tensor: ByteString) -> [Digest] {
    patches.filter { $0.manifest.base.tensors[tensor] != nil }.map(\.identifier)
  }
}

// MARK: - For people

extension CheckpointReport {
  /// The report, one element a line.
  var lines: [String] {
    guard !applied.isEmpty else {
      return [
        "\(path): no ledger, so no patch is recorded; the weights were compared with nothing"
      ]
    }
    let facts = facts
    return ["checkpoint  \(printable(path))", ""] + patchTable
      + (facts.isEmpty ? [] : [""] + ListedFact.table(facts, isElided: true)) + contradictionLines + [""] + tensorTable
  }

  private var patchTable: [String] {
    var table = TextTable([
      ("patch", .left), ("name", .left), ("applied", .left), ("edits", .left), ("author", .left),
    ])
    for (entry, patch) in applied {
      table.append([
        entry.patch.abbreviated, printable(entry.name), printable(entry.applied), patch.extent,
        printable(patch.manifest.author ?? "-"),
      ])
    }
    let signed = zip(applied, signatures).flatMap { patch, signatures in
      signatures.map { printable("\(patch.entry.patch.abbreviated): signature \($0.frame): \($0)") }
    }
    return table.lines + (signed.isEmpty ? [] : [""] + signed)
  }

  private var contradictionLines: [String] {
    let found = contradictions
    if found.isEmpty { return [] }
    return [""]
      + found.map { first, second in
        printable(
          "contradiction: \(first.fact.label) of \(first.patch.abbreviated), and \"\(second.fact.targetNew)\" of "
            + second.patch.abbreviated)
      }
  }

  private var tensorTable: [String] {
    var table = TextTable([("tensor", .left), ("base", .left), ("current", .left), ("patches", .left)])
    for (name, state) in ledger.tensors.sorted(by: { $0.key < $1.key }) {
      table.append([
        printable(name.description), state.base.abbreviated, state.current.abbreviated,
        patches(editing: name).map(\.abbreviated).joined(separator: ", "),
      ])
    }
    return table.lines
  }
}

// MARK: - For programs

extension CheckpointReport {
  /// The answer of `--json`.
  var json: JSON {
    [
      "checkpoint": JSON(path), "has_ledger": .bool(!applied.isEmpty),
      "patches": .array(
        zip(applied, signatures).map { applied, signatures in
          let (entry, patch) = applied
          return [
            "patch": JSON(entry.patch), "patch_name": JSON(entry.name), "applied": JSON(entry.applied),
            "extent": JSON(patch.extent), "manifest": patch.manifest.json,
            "signatures": .array(signatures.map(\.json)),
          ]
        }), "facts": .array(facts.map(\.json)),
      "contradictions": .array(
        contradictions.map { .array([JSON($0.first.fact.identifier), JSON($0.second.fact.identifier)]) }),
      "tensors": .array(
        ledger.tensors.sorted { $0.key < $1.key }.map { name, state in
          [
            "tensor": .string(name), "base": JSON(state.base), "current": JSON(state.current),
            "patches": .array(patches(editing: name).map { JSON($0) }),
          ]
        }),
    ]
  }
}
