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

  @Flag(help: "Print the result as JSON.")
  var json = false

  func run() throws {
    let key = PrivateKey()
    let publicPath = try KeyFile.write(key, to: output)
    let identifier = key.publicKey.identifier.description
    if json {
      printJSON(["key": JSON(identifier), "private_key": JSON(output), "public_key": JSON(publicPath)])
    } else {
      print("\(printable(output)): private key; keep it to yourself")
      print("\(printable(publicPath)): public key, with the ID \(identifier)")
    }
  }
}
