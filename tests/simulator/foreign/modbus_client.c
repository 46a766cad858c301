/* A foreign Modbus client (libmodbus) at a simulated PLC. Arguments: port, unit id. Ends with 0 when content; otherwise
 * says on stderr which line was not. "> silent", "> speak" and "> cut" on stdout ask for a fault; a line on stdin says
 * it is done. The PLC: 2000 coils (1968 writable), 2000 discrete inputs (every third is on), 125 input registers
 * (3 * address), 125 holding registers (123 writable, number 10 takes 0 to 100). */
#include <errno.h>
#include <modbus/modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEED(claim)                                                                                                    \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        if (!(claim)) {                                                                                                \
            fprintf(stderr, "line %d: %s: %s\n", __LINE__, #claim, modbus_strerror(errno));                            \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)
#define REFUSED(call, reason) NEED((call) == -1 && errno == (reason))

static modbus_t *plc;
static uint16_t words[MODBUS_MAX_READ_REGISTERS];
static uint8_t bits[MODBUS_MAX_READ_BITS];

static void blocks(void) {
    uint16_t sent[MODBUS_MAX_WRITE_REGISTERS], back[MODBUS_MAX_READ_REGISTERS];
    NEED(modbus_read_input_registers(plc, 0, 125, words) == 125);
    for (int k = 0; k < 125; k++) NEED(words[k] == 3 * k);
    for (int k = 0; k < 123; k++) sent[k] = k == 10 ? 99 : 1000 + k;
    NEED(modbus_write_registers(plc, 0, 123, sent) == 123);
    NEED(modbus_read_registers(plc, 0, 125, back) == 125);
    NEED(memcmp(sent, back, sizeof sent) == 0 && back[123] == 0 && back[124] == 0);
    NEED(modbus_write_register(plc, 3, 0xABCD) == 1);
    NEED(modbus_read_registers(plc, 3, 1, back) == 1 && back[0] == 0xABCD);
    NEED(modbus_mask_write_register(plc, 3, 0xFF00, 0x0012) == 1);
    NEED(modbus_read_registers(plc, 3, 1, back) == 1 && back[0] == 0xAB12);
    for (int k = 0; k < 121; k++) sent[k] = k == 10 ? 1 : 2000 + k;
    NEED(modbus_write_and_read_registers(plc, 0, 121, sent, 0, 125, back) == 125);
    NEED(memcmp(sent, back, 121 * sizeof *sent) == 0 && back[121] == 1121); /* written first, then read */
}

static void single_bits(void) {
    uint8_t sent[MODBUS_MAX_WRITE_BITS];
    NEED(modbus_read_input_bits(plc, 0, 2000, bits) == 2000);
    for (int k = 0; k < 2000; k++) NEED(bits[k] == (k % 3 == 0));
    for (int k = 0; k < 1968; k++) sent[k] = k % 5 == 1;
    NEED(modbus_write_bits(plc, 0, 1968, sent) == 1968);
    NEED(modbus_read_bits(plc, 0, 2000, bits) == 2000 && memcmp(sent, bits, sizeof sent) == 0);
    NEED(modbus_write_bit(plc, 1967, TRUE) == 1);
    NEED(modbus_read_bits(plc, 1960, 40, bits) == 40 && bits[7] == 1 && bits[8] == 0);
}

static void refusals(int unit) {
    uint8_t id[MODBUS_MAX_PDU_LENGTH];
    REFUSED(modbus_read_registers(plc, 124, 2, words), EMBXILADD);
    REFUSED(modbus_read_input_registers(plc, 9999, 1, words), EMBXILADD);
    REFUSED(modbus_read_bits(plc, 1999, 2, bits), EMBXILADD);
    REFUSED(modbus_write_register(plc, 123, 1), EMBXILADD);
    REFUSED(modbus_write_register(plc, 10, 101), EMBXILVAL);
    REFUSED(modbus_report_slave_id(plc, sizeof id, id), EMBXILFUN);
    NEED(modbus_set_slave(plc, unit + 1) == 0);
    REFUSED(modbus_read_registers(plc, 0, 1, words), EMBXGTAR);
    NEED(modbus_set_slave(plc, MODBUS_TCP_SLAVE) == 0); /* what libmodbus uses when told nothing */
    NEED(modbus_read_registers(plc, 0, 1, words) == 1);
    NEED(modbus_set_slave(plc, unit) == 0);
}

/* Requests the library's own functions do not let out. */
static void raw(uint8_t unit) {
    uint8_t answer[MODBUS_TCP_MAX_ADU_LENGTH];
    uint8_t none[] = {unit, 3, 0, 0, 0, 0}, many[] = {unit, 3, 0, 0, 0, 126}, torn[] = {unit, 16, 0, 0, 0, 2, 4, 0};
    uint8_t *wrong[] = {none, many, torn};
    int size[] = {sizeof none, sizeof many, sizeof torn};
    for (int k = 0; k < 3; k++) {
        NEED(modbus_send_raw_request(plc, wrong[k], size[k]) > 0);
        NEED(modbus_receive_confirmation(plc, answer) == 9);
        NEED(answer[6] == unit && answer[7] == (wrong[k][1] | 0x80) && answer[8] == MODBUS_EXCEPTION_ILLEGAL_DATA_VALUE);
    }
    uint8_t one[] = {unit, 4, 0, 1, 0, 1}, two[] = {unit, 4, 0, 2, 0, 1}; /* both asked before the first is answered */
    NEED(modbus_send_raw_request(plc, one, sizeof one) == 12 && modbus_send_raw_request(plc, two, sizeof two) == 12);
    NEED(modbus_receive_confirmation(plc, answer) == 11 && answer[10] == 3);
    NEED(modbus_receive_confirmation(plc, answer) == 11 && answer[10] == 6);
}

static void ask_for(const char *fault) {
    char line[16];
    printf("> %s\n", fault);
    fflush(stdout);
    NEED(fgets(line, sizeof line, stdin) != NULL);
}

static void recovery(void) {
    NEED(modbus_set_error_recovery(plc, MODBUS_ERROR_RECOVERY_LINK | MODBUS_ERROR_RECOVERY_PROTOCOL) == 0);
    NEED(modbus_set_response_timeout(plc, 0, 200000) == 0);
    ask_for("silent");
    REFUSED(modbus_read_input_registers(plc, 5, 1, words), ETIMEDOUT);
    ask_for("speak");
    NEED(modbus_set_response_timeout(plc, 5, 0) == 0);
    NEED(modbus_read_input_registers(plc, 6, 1, words) == 1 && words[0] == 18);
    ask_for("cut");
    (void) modbus_read_input_registers(plc, 7, 1, words); /* finds the connection gone and makes another */
    NEED(modbus_read_input_registers(plc, 8, 1, words) == 1 && words[0] == 24);
}

int main(int argc, char **argv) {
    NEED(argc == 3);
    plc = modbus_new_tcp("127.0.0.1", atoi(argv[1]));
    NEED(plc != NULL && modbus_set_slave(plc, atoi(argv[2])) == 0 && modbus_connect(plc) == 0);
    NEED(modbus_set_response_timeout(plc, 5, 0) == 0);
    blocks();
    single_bits();
    refusals(atoi(argv[2]));
    raw((uint8_t) atoi(argv[2]));
    recovery();
    for (int k = 0; k < 2000; k++) NEED(modbus_read_registers(plc, 0, 125, words) == 125);
    modbus_close(plc);
    modbus_free(plc);
    puts("content");
    return 0;
}
