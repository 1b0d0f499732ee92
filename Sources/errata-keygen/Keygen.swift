import ArgumentParser
import Tensors
import ToolSupport
import WeightPatch

struct Keygen: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata keygen",
    abstract: "Makes an Ed25519 key pair to sign patches with.",
    discussion: """
      NAME is the private key (PKCS #8 in PEM, for your eyes only, without a passphrase), NAME.pub the public key \
      (SubjectPublicKeyInfo in PEM), which those who are to check your signatures need. OpenSSL makes and reads the \
      same files: openssl genpkey -algorithm ed25519.
      """,
    version: errataVersion)

  @Option(
    name: [.short, .long], help: ArgumentHelp("Where to write the private key; must not exist.", valueName: "name"))
  var output: String

  @OptionGroup
  var json: JSONOption

  func run() throws {
    let key = PrivateKey()
    let publicPath = try KeyFile.write(key, to: output)
    json.give(KeyPairReport(identifier: key.publicKey.identifier, privatePath: output, publicPath: publicPath))
  }
}

/// What `errata keygen` says when it is done.
struct KeyPairReport: Answer {
  let kind = "keygen"

  let identifier: Digest
  let privatePath: String
  let publicPath: String

  var lines: [String] {
    [
      "\(privatePath): private key; keep it to yourself",
      "\(publicPath): public key, with the ID \(identifier)",
    ]
  }

  var json: JSON {
    ["key": JSON(identifier), "private_key": JSON(privatePath), "public_key": JSON(publicPath)]
  }
}
