package millrace.golden;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Cases, one a line. */
final class CaseFiles {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    /** Makes random cases of an operator or a pipeline, for a seed. */
    @FunctionalInterface
    interface Maker {
        List<Case> of(String name, String seed, int count);
    }

    /** Writes a file of cases for each name. */
    static void write(List<String> names, Maker maker, String[] seeds, int each, String folder) throws IOException {
        Path state = Files.createTempDirectory("golden");
        Files.createDirectories(Path.of(folder));
        for (String name : names) {
            StringBuilder lines = new StringBuilder();
            for (String seed : seeds) {
                for (Case made : maker.of(name, seed, each)) lines.append(answered(made, state));
            }
            Files.writeString(Path.of(folder, name + ".jsonl"), lines);
        }
    }

    /** Answers the cases of a file in their place. */
    static void answer(String file) throws IOException {
        ByteArrayOutputStream answered = new ByteArrayOutputStream();
        try (InputStream in = Files.newInputStream(Path.of(file))) {
            answer(in, new PrintStream(answered, false, StandardCharsets.UTF_8));
        }
        Files.write(Path.of(file), answered.toByteArray());
    }

    /** Answers the cases that are read. */
    static void answer(InputStream in, PrintStream out) throws IOException {
        Path state = Files.createTempDirectory("golden");
        BufferedReader lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            if (!line.isBlank()) out.print(answered(MAPPER.readValue(line, Case.class), state));
        }
        out.flush();
    }

    private static String answered(Case asked, Path state) throws IOException {
        return MAPPER.writeValueAsString(asked.answered(Answer.to(asked, state))) + "\n";
    }

    private CaseFiles() {}
}
