package millrace.golden;

import java.io.IOException;
import java.util.List;

/** Kafka Streams' own answers to cases of operators and pipelines. Cases are JSON objects, one a line: see {@link Case}. */
public final class Main {
    private static final String USAGE = """
        usage: COMMAND
          write SEEDS EACH FOLDER       random cases with their answers: FOLDER/OPERATOR.jsonl, EACH of them for each seed
          write-apps SEEDS EACH FOLDER  the same of the pipelines of the analytics: FOLDER/PIPELINE.jsonl
          answer FILE                   answers the cases of a file in their place
          ask                           answers those on standard input
        """;

    public static void main(String[] argv) throws Exception {
        System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "error");
        String command = argv.length == 0 ? "" : argv[0];
        if (command.equals("write") && argv.length == 4) {
            write(RandomCase.OPERATORS, RandomCase::of, argv);
        } else if (command.equals("write-apps") && argv.length == 4) {
            write(Pipelines.NAMES, RandomPipelineCase::of, argv);
        } else if (command.equals("ask") && argv.length == 1) {
            CaseFiles.answer(System.in, System.out);
        } else if (command.equals("answer") && argv.length == 2) {
            CaseFiles.answer(argv[1]);
        } else {
            System.err.print(USAGE);
            System.exit(2);
        }
    }

    private static void write(List<String> names, CaseFiles.Maker maker, String[] argv) throws IOException {
        CaseFiles.write(names, maker, argv[1].split(","), Integer.parseInt(argv[2]), argv[3]);
    }

    private Main() {}
}
