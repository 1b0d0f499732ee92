import Foundation
import Safetensors
import Tensors
import Testing

@testable import CheckpointLedger
@testable import WeightPatch

@Suite struct CheckpointStateTests {
  @Test(arguments: CheckpointFixture.Layout.allCases)
  func applyGivesTheResultAndRevertTheBase(layout: CheckpointFixture.Layout) throws {
    let fixture = try CheckpointFixture(layout)
    let before = try fileDigests(fixture.path)
    let patch = try fixture.patch("p.wpatch", [fixture.batch(facts: 3, seed: 1)])
    let edited = fixture.output("edited")
    let report = try apply([patch], to: fixture.path, output: edited)
    #expect(try fileDigests(fixture.path) == before, "the source is left as it is")

    let checkpoint = try Checkpoint(path: edited)
    for (name, elements) in fixture.elements(with: patch.patch.batches) {
      #expect(try storedBytes(of: name, in: edited) == elements.bytes)
      #expect(try checkpoint.digest(of: name) == patch.patch.manifest.result![name])
    }
    #expect(report.tensors.map(\.name) == CheckpointFixture.matrices.map(\.name))
    let headers = try zip(Checkpoint(path: fixture.path).shards, checkpoint.shards).map {
      ($0.0.header.bytes, $0.1.header.bytes)
    }
    #expect(headers.allSatisfy { $0.0 == $0.1 })
    let untouched = try fileDigests(edited, ledger: false).filter { before[$0.key] == $0.value }.keys
    #expect(!untouched.contains { $0.hasSuffix(".safetensors") || $0 == "" })
    #expect(untouched.count == before.count - (layout == .sharded ? 3 : 1))

    let reverted = fixture.output("reverted")
    try revert([patch], from: edited, output: reverted)
    #expect(try fileDigests(reverted) == before)
  }

  @Test func aPlanTellsItsResultWithoutWriting() throws {
    let fixture = try CheckpointFixture(.sharded)
    let before = try fileDigests(fixture.path)
    let patch = try fixture.patch("p.wpatch", [fixture.batch(facts: 3, seed: 1)])
    let plan = try CheckpointState(path: fixture.path).planApply([patch], time: "")
    for (name, elements) in fixture.elements(with: patch.patch.batches) {
      #expect(try plan.result(of: name) == elements.bytes)
    }
    #expect(try fileDigests(fixture.path) == before)
    let edited = fixture.output("edited")
    try apply([patch], to: fixture.path, output: edited)
    let back = try CheckpointState(path: edited).planRevert([patch.identifier])
    #expect(back.changedTensors.count == 3)
    for name in back.changedTensors {
      #expect(try back.result(of: name) == storedBytes(of: name, in: fixture.path))
    }
  }

  @Test func orderDoesNotMatter() throws {
    let fixture = try CheckpointFixture(.sharded)
    let patches = try [
      fixture.patch("p0", [fixture.batch(facts: 2, scale: 0.01, seed: 1)]),
      fixture.patch("p1", [fixture.batch(["model.a.weight"], facts: 1, scale: 0.1, seed: 2)]),
      fixture.patch(
        "p2",
        [
          fixture.batch(["model.b.weight", "model.c.weight"], facts: 5, seed: 3),
          fixture.batch(["model.a.weight"], facts: 1, scale: 0.001, seed: 4),
        ]),
    ]
    let expected = fixture.elements(with: patches.flatMap { $0.patch.batches })
    var files: [String: Digest]?
    for (number, order) in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]].enumerated() {
      var path = fixture.path
      for (step, index) in order.enumerated() {
        let next = fixture.output("o\(number)-\(step)")
        try apply([patches[index]], to: path, output: next)
        path = next
      }
      for (name, elements) in expected {
        #expect(try storedBytes(of: name, in: path) == elements.bytes)
      }
      // The ledger's order is a record of what was done; everything else is the same, undo records included.
      var found = try fileDigests(path)
      found[".errata/ledger.json"] = nil
      #expect(files == nil || found == files)
      files = found
    }
    let together = fixture.output("together")
    try apply(patches, to: fixture.path, output: together)
    #expect(try fileDigests(together).filter { $0.key != ".errata/ledger.json" } == files)
  }

  @Test(arguments: CheckpointFixture.Layout.allCases)
  func revertingOneOfTwoIsNeverHavingHadIt(layout: CheckpointFixture.Layout) throws {
    let fixture = try CheckpointFixture(layout)
    let first = try fixture.patch("p0", [fixture.batch(["model.a.weight", "model.b.weight"], scale: 0.1, seed: 1)])
    let second = try fixture.patch("p1", [fixture.batch(["model.a.weight", "model.c.weight"], scale: 0.1, seed: 2)])
    let (both, never, reverted, base) =
      (fixture.output("both"), fixture.output("never"), fixture.output("reverted"), fixture.output("again"))
    try apply([first, second], to: fixture.path, output: both)
    try apply([second], to: fixture.path, output: never)
    let report = try revert([first], from: both, output: reverted)
    #expect(try fileDigests(reverted) == fileDigests(never))
    #expect(report.tensors.map(\.name) == ["model.a.weight", "model.b.weight"])
    try revert([second], from: reverted, output: base)
    #expect(try fileDigests(base) == fileDigests(fixture.path))
  }

  @Test func aBatchInTwoPatchesCountsOnce() throws {
    let fixture = try CheckpointFixture(.singleFile)
    let (one, two) = (fixture.batch(seed: 1), fixture.batch(seed: 2))
    let part = try fixture.patch("part", [one])
    let stack = try fixture.patch("stack", [two, one])
    let (both, alone, left) = (fixture.output("both"), fixture.output("alone"), fixture.output("left"))
    try apply([part, stack], to: fixture.path, output: both)
    try apply([stack], to: fixture.path, output: alone)
    #expect(try fileDigests(both, ledger: false) == fileDigests(alone, ledger: false))
    let report = try revert([part], from: both, output: left)
    #expect(report.tensors.isEmpty)
    #expect(try fileDigests(left) == fileDigests(alone))
  }

  @Test func appliedAlready() throws {
    let fixture = try CheckpointFixture(.bareFile)
    let patch = try fixture.patch("p", [fixture.batch(seed: 1)])
    let edited = fixture.output("edited")
    try apply([patch], to: fixture.path, output: edited)
    let plan = try CheckpointState(path: edited).planApply([patch], time: "")
    #expect(plan.isEmpty && plan.alreadyApplied.map(\.identifier) == [patch.identifier])
    let twice = try CheckpointState(path: fixture.path).planApply([patch, patch], time: "")
    #expect(twice.applied.count == 1 && twice.alreadyApplied.isEmpty)
    let again = try CheckpointState(path: edited).planApply([patch, patch], time: "")
    #expect(again.isEmpty && again.alreadyApplied.count == 1)
  }

  @Test func anotherBaseIsRefused() throws {
    let fixture = try CheckpointFixture(.singleFile)
    let other = try CheckpointFixture(.singleFile, seed: 2)
    let patch = try fixture.patch("p", [fixture.batch(["model.a.weight", "model.c.weight"], seed: 1)])
    let mismatches = try ["model.a.weight", "model.c.weight"].map { name in
      let found = try Checkpoint(path: other.path).digest(of: ByteString(name))
      let expected = try Checkpoint(path: fixture.path).digest(of: ByteString(name))
      return "\(name): expected \(expected.abbreviated), found \(found.abbreviated)"
    }
    let message =
      "\(patch.path): was made for another base than \(other.path): \(mismatches.joined(separator: "; ")) (force "
      + "applies it all the same)"
    #expect(throws: ErrataError(.baseMismatch, message)) {
      try apply([patch], to: other.path, output: other.output("x"))
    }
    try apply([patch], to: other.path, output: other.output("forced"), force: true)
    try revert([patch], from: other.output("forced"), output: other.output("back"))
    #expect(try fileDigests(other.output("back")) == fileDigests(other.path))
  }

  @Test func everyPatchForAnotherBaseIsNamed() throws {
    let fixture = try CheckpointFixture(.singleFile)
    let other = try CheckpointFixture(.singleFile, seed: 2)
    let names = ["model.a.weight", "model.c.weight"]
    let files = try names.enumerated().map { index, name in
      try fixture.patch("p\(index)", [fixture.batch([ByteString(name)], seed: UInt64(index))])
    }
    let texts = try zip(files, names).map { file, name in
      let found = try Checkpoint(path: other.path).digest(of: ByteString(name))
      let expected = try Checkpoint(path: fixture.path).digest(of: ByteString(name))
      return "\(file.path): was made for another base than \(other.path): \(name): expected \(expected.abbreviated), "
        + "found \(found.abbreviated)"
    }
    #expect(
      throws: ErrataError(.baseMismatch, "\(texts.joined(separator: "; ")) (force applies them all the same)")
    ) { try apply(files, to: other.path, output: other.output("x")) }
  }

  @Test func anOverflowNamesPatchAndCheckpoint() throws {
    let fixture = try CheckpointFixture(.singleFile)
    let patch = try fixture.patch("p", [fixture.batch(scale: 1e30, seed: 1)])
    let plan = try CheckpointState(path: fixture.path).planApply([patch], time: "")
    let error = try #require(throws: ErrataError.self) { try plan.rehearse() }
    #expect(error.kind == .general)
    #expect(error.message.hasPrefix("\(patch.path) on \(fixture.path): model."))
    #expect(error.message.contains("]: the edited value overflows "))
  }

  @Test func parentsStandBeforeChildren() throws {
    let fixture = try CheckpointFixture(.singleFile)
    let parent = try fixture.patch("parent", [fixture.batch(["model.a.weight"], seed: 1)])
    func child(_ name: String, of file: PatchFile, seed: UInt64) throws -> PatchFile {
      try fixture.patch(name, [fixture.batch(["model.a.weight"], seed: seed)]) {
        $0.parents = [
          Manifest.Parent(patch: file.identifier, batches: file.manifest.batches.map(\.digest))
        ]
      }
    }
    let middle = try child("child", of: parent, seed: 2)
    let last = try child("grandchild", of: middle, seed: 3)
    let other = try fixture.patch("other", [fixture.batch(["model.b.weight"], seed: 4)])
    let state = try CheckpointState(path: fixture.path)
    let plan = try state.planApply([last, other, middle, parent], time: "")
    #expect(plan.entries.map(\.name) == [other, parent, middle, last].map(\.name))
    #expect(plan.withoutParents.isEmpty)
    #expect(try state.planApply([last, other], force: true, time: "").withoutParents.map(\.path) == [last.path])
  }

  @Test func anotherModelIsRefusedWhateverTheForce() throws {
    let fixture = try CheckpointFixture(.singleFile)
    let missing = PatchFixture(weights: ["model.z.weight"])
    try PatchWriter.write(missing.manifest, batches: missing.batches, to: fixture.directory("z"))
    let smaller = PatchFixture(weights: ["model.a.weight"])
    try PatchWriter.write(smaller.manifest, batches: smaller.batches, to: fixture.directory("s"))
    let (z, s) = try (PatchFile(path: fixture.directory("z")), PatchFile(path: fixture.directory("s")))
    #expect(
      throws: ErrataError(
        .baseMismatch, "\(z.path): was made for another model than \(fixture.path): model.z.weight is missing")
    ) { try apply([z], to: fixture.path, output: fixture.output("x"), force: true) }
    #expect(
      throws: ErrataError(
        .baseMismatch,
        "\(s.path): was made for another model than \(fixture.path): model.a.weight has shape [24, 40], not [3, 4]")
    ) { try apply([s], to: fixture.path, output: fixture.output("x"), force: true) }

    // Every patch and every tensor.
    let several = PatchFixture(weights: ["model.y.weight", "model.b.weight", "model.a.weight"])
    try PatchWriter.write(several.manifest, batches: several.batches, to: fixture.directory("y"))
    let y = try PatchFile(path: fixture.directory("y"))
    let b = try Checkpoint(path: fixture.path).tensor(named: "model.b.weight").shape
    #expect(
      throws: ErrataError(
        .baseMismatch,
        "\(y.path): was made for another model than \(fixture.path): model.a.weight has shape [24, 40], not [3, 4], "
          + "model.b.weight has shape \(b), not [3, 4], model.y.weight is missing; "
          + "\(z.path): was made for another model than \(fixture.path): model.z.weight is missing")
    ) { try apply([y, z], to: fixture.path, output: fixture.output("x"), force: true) }
  }

  @Test func aWrongResultWritesNothing() throws {
    let fixture = try CheckpointFixture(.singleFile)
    let wrong = Digest(of: [7])
    let patch = try fixture.patch("p", [fixture.batch(["model.b.weight"], seed: 1)]) {
      $0.result = ["model.b.weight": wrong]
    }
    let found = fixture.result(of: patch.patch.batches)["model.b.weight"]!
    #expect(
      throws: ErrataError(
        .verification,
        "\(patch.path): the result is not what the patch says it is: model.b.weight: expected \(wrong.abbreviated), "
          + "found \(found.abbreviated); nothing was written")
    ) { try apply([patch], to: fixture.path, output: fixture.output("x")) }
    let left = try FileManager.default.contentsOfDirectory(atPath: fixture.directory.path)
    #expect(left.sorted() == ["base", "p"])
  }

  @Test func parentsComeFirstAndGoLast() throws {
    let fixture = try CheckpointFixture(.singleFile)
    let parent = try fixture.patch("parent", [fixture.batch(seed: 1)])
    let own = fixture.batch(seed: 2)
    let child = try fixture.patch("child", [own]) {
      $0.parents = [
        Manifest.Parent(patch: parent.identifier, batches: parent.patch.manifest.batches.map(\.digest))
      ]
      $0.result = fixture.result(of: parent.patch.batches + [own])
    }
    #expect(
      throws: ErrataError(
        .conflict,
        "\(child.path): was computed on top of \(parent.identifier.abbreviated), not applied here; apply that "
          + "first (force applies it all the same)")
    ) { try apply([child], to: fixture.path, output: fixture.output("x")) }
    let both = fixture.output("both")
    try apply([child, parent], to: fixture.path, output: both)
    #expect(
      throws: ErrataError(
        .conflict,
        "\(child.identifier.abbreviated) (child) was computed on top of \(parent.identifier.abbreviated) "
          + "(parent); revert both, or leave it applied by force")
    ) { try revert([parent], from: both, output: fixture.output("x")) }
    let (cascaded, kept, forced) = (fixture.output("cascaded"), fixture.output("kept"), fixture.output("forced"))
    try revert([parent], from: both, output: cascaded, children: .cascade)
    #expect(try fileDigests(cascaded) == fileDigests(fixture.path))
    try revert([parent], from: both, output: kept, children: .keep)
    try apply([child], to: fixture.path, output: forced, force: true)
    #expect(try fileDigests(kept) == fileDigests(forced))
  }

  @Test func twoChildrenOfOneParent() throws {
    let fixture = try CheckpointFixture(.singleFile)
    let parent = try fixture.patch("parent", [fixture.batch(seed: 1)])
    let children = try (2...3).map { number in
      try fixture.patch("child\(number)", [fixture.batch(seed: UInt64(number))]) {
        $0.parents = [
          Manifest.Parent(patch: parent.identifier, batches: parent.patch.manifest.batches.map(\.digest))
        ]
        $0.result = nil
      }
    }
    let all = fixture.output("all")
    try apply([parent] + children, to: fixture.path, output: all)
    let names = children.map { "\($0.identifier.abbreviated) (\($0.name))" }.joined(separator: ", ")
    #expect(
      throws: ErrataError(
        .conflict,
        "\(names) were computed on top of \(parent.identifier.abbreviated) (parent); revert all of them, or leave them "
          + "applied by force")
    ) { try revert([parent], from: all, output: fixture.output("x")) }
    let cascaded = fixture.output("cascaded")
    try revert([parent], from: all, output: cascaded, children: .cascade)
    #expect(try fileDigests(cascaded) == fileDigests(fixture.path))
  }

  /// A type that the digest is not made of.
  @Test func aTypeThatIsNotTheBases() throws {
    let fixture = try CheckpointFixture(.singleFile)
    let patch = try fixture.patch("p", [fixture.batch(seed: 1)]) {
      $0.base.tensors["model.c.weight"]!.dtype = .bf16
    }
    let output = fixture.output("x")
    #expect(
      throws: ErrataError(
        .damagedInput,
        "\(patch.path): says that model.c.weight is BF16 in its base, but the digest is that of a tensor in F32; get "
          + "the patch again")
    ) { try apply([patch], to: fixture.path, output: output) }
    // Nor by force, nor where it is compared with its base.
    #expect(throws: ErrataError.self) { try apply([patch], to: fixture.path, output: output, force: true) }
    #expect(!FileManager.default.fileExists(atPath: output))
  }

  @Test func patchesAreFoundByNumberFileAndName() throws {
    let fixture = try CheckpointFixture(.singleFile)
    let first = try fixture.patch("first.wpatch", [fixture.batch(seed: 1)])
    let second = try fixture.patch("second.wpatch", [fixture.batch(seed: 2)])
    let edited = fixture.output("edited")
    try apply([first], to: fixture.path, output: edited)
    let state = try CheckpointState(path: edited)
    #expect(try state.appliedPatch(matching: String(first.identifier.description.prefix(6))) == first.identifier)
    #expect(try state.appliedPatch(matching: first.path) == first.identifier)
    #expect(try state.appliedPatch(matching: "first.wpatch") == first.identifier)
    #expect(try state.appliedPatch(matching: second.path) == nil)
    #expect(try state.onlyAppliedPatch() == first.identifier)
    #expect(
      throws: ErrataError(
        .general, "0000: is neither a file nor a patch applied to \(edited): there are \(state.ledger.patches[0])")
    ) { try state.appliedPatch(matching: "0000") }
    let both = fixture.output("both")
    try apply([second], to: edited, output: both)
    let entries = try CheckpointState(path: both).ledger.patches
    #expect(
      throws: ErrataError(
        .usage,
        "\(both): several patches are applied: \(entries[0]), \(entries[1]); name those to revert"
      )
    ) { try CheckpointState(path: both).onlyAppliedPatch() }
  }
}
