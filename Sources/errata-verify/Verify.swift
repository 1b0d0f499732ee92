import ArgumentParser
import CheckpointLedger
import Safetensors
import Tensors
import ToolSupport
import WeightPatch

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata verify",
    abstract: "Proves that a patch is whole, or that a checkpoint is its base plus its patches.",
    discussion: """
      A patch: its seal, checksums, structure and digests; exit code 6 if it is damaged.

      A checkpoint: every edited tensor is what the ledger says, its undo record leads back to the base, and exact \
      apply leads from there to the tensor, bit for bit. What no patch edits is compared with nothing, unless there \
      is --base: then every tensor is compared with the base itself, and those that no patch edits must be equal byte \
      for byte, as must be the configuration, the tokenizer and the other files that decide what the model says. With \
      --patch the patches that are named take the place of the ledger, which is not looked at: they are applied to \
      the base, and the result is compared. Exit code 5, with the tensors and files named, if something does not \
      hold; 6 if the ledger or a patch in it is damaged.

      Signatures, of the patch or of every applied patch, are listed. With --key all of the keys must have signed, \
      with a policy as many as it says, and every patch must be on the base and the parents that it was made for; \
      otherwise, and for a signature that does not hold, the exit code is 5; so it is for a checkpoint without a \
      ledger, unless --base says what its weights are. Of several inputs each is verified, and the exit code is that \
      of the first that fails. Nothing is written, unless an earlier change in place was interrupted: then that is \
      finished first.
      """,
    version: errataVersion)

  @Argument(help: "Patch files, - for standard input, or checkpoints: directories, or single .safetensors files.")
  var paths: [String]

  @Option(help: "The checkpoint without any patch, to compare all tensors with.")
  var base: String?

  @Option(
    parsing: .singleValue,
    help: "With --base: a patch that must be in the checkpoint, whatever its ledger says; may be given several times.")
  var patch: [String] = []

  @Option(help: "A public key that must have signed; may be given several times. Takes the place of a policy.")
  var key: [String] = []

  @OptionGroup
  var policy: PolicyOption

  @OptionGroup
  var json: JSONOption

  @Flag(help: "Show no progress.")
  var quiet = false

  func validate() throws {
    let checkpoints = paths.filter(namesCheckpoint)
    if base != nil && checkpoints.count < paths.count {
      throw ValidationError("--base goes with a checkpoint, not with a patch")
    }
    if !patch.isEmpty && base == nil { throw ValidationError("--patch goes with --base") }
    if !key.isEmpty && policy.isGiven { throw ValidationError("--key and --policy exclude each other") }
  }

  func run() throws {
    let trust = try key.isEmpty ? policy.path.map(TrustPolicy.init) : TrustPolicy(requiring: key)
    try json.giveEach(of: Self.self, paths) { path, give in
      if namesCheckpoint(path) {
        try verifyCheckpoint(path, trust, give)
      } else {
        try verifyPatch(path, trust, give)
      }
    }
  }

  private func verifyPatch(_ path: String, _ trust: TrustPolicy?, _ give: (any Answer) -> Void) throws {
    let file = try PatchFile(path: path)
    let answer = PatchAnswer(file: file, signatures: SignatureReport(of: file, policy: trust))
    give(answer)
    try answer.signatures.check()
  }

  private func verifyCheckpoint(_ path: String, _ trust: TrustPolicy?, _ give: (any Answer) -> Void) throws {
    let state = try open(path)
    let baseState = try base.map(open)
    let named = try patch.map { try PatchFile(path: $0) }
    let report = try verify(state, baseState, named)
    let signatures = (patch.isEmpty ? state.patches : named).map { SignatureReport(of: $0, policy: trust) }
    let answer = CheckpointAnswer(
      report: report, signatures: signatures, base: base, asksForSignatures: trust != nil,
      otherWeights: try state.checkpoint.remarkOnOtherWeights())
    give(answer)
    try report.check()
    for patch in signatures { try patch.check() }
    if trust != nil { try report.checkWhatWasSigned() }
    if answer.isUnknown { throw ErrataError.nothingIsSigned(path) }
  }

  private func verify(_ state: CheckpointState, _ base: CheckpointState?, _ named: [PatchFile]) throws
    -> VerificationReport
  {
    let progress = ByteProgress("verifying", isQuiet: quiet)
    defer { progress.finish() }
    if let base, !named.isEmpty { return try state.verify(against: base, plus: named, progress: progress.update) }
    return try state.verify(against: base?.checkpoint, progress: progress.update)
  }

  private func open(_ path: String) throws -> CheckpointState {
    try CheckpointState(path: path, notice: printNotice)
  }
}
