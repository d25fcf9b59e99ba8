# MySQL: the relational store, a database and an account for each service that asks for one. Runs one MariaDB server, which speaks MySQL's protocol.
# Data: data_dir/db. Every committed transaction is flushed to disk before it is acknowledged.
# Secrets: Nomad Variable nomad/jobs/mysql, items root_password and <account>_password. The accounts are brought in
# line with them at every start, and those that are none any more are removed; their databases stay.

variable "datacenter" {
  type        = string
  description = "Nomad datacenter of the stack."
}

variable "driver" {
  type        = string
  default     = "raw_exec"
  description = "Nomad task driver. Attributes of other drivers go into `config` as null where they do not apply."
  validation {
    condition     = var.driver == "raw_exec"
    error_message = "Only the embedded substrate (driver raw_exec) exists so far."
  }
}

variable "setpriv" {
  type        = string
  default     = "/usr/bin/setpriv"
  description = "Absolute path of setpriv: it makes the kernel end a task whose executor has died."
}

variable "data_dir" {
  type        = string
  description = "Absolute path of this job's own data folder; it outlives the job."
}

variable "perl" {
  type        = string
  default     = "/usr/bin/perl"
  description = "Absolute path of perl (Debian's perl-base is enough)."
}

variable "probe" {
  type        = string
  description = "Absolute path of jobs/probe.pl, the health check."
}

variable "server" {
  type        = string
  description = "Absolute path of mariadbd."
}

variable "home" {
  type        = string
  description = "Absolute path of the folder that holds MariaDB's usr/ folder."
}

variable "library_path" {
  type        = string
  default     = ""
  description = "LD_LIBRARY_PATH for the server, empty for none."
}

variable "port" {
  type        = number
  description = "Port of the MySQL protocol."
}

variable "accounts" {
  type        = string
  default     = ""
  description = "Names of the accounts, separated by commas. Each may do everything in the database of its name, and nothing elsewhere."
  validation {
    condition     = regex_replace(var.accounts, "^[a-z][a-z0-9-]*(,[a-z][a-z0-9-]*)*$", "") == ""
    error_message = "The names of accounts are of lower-case letters, digits and dashes."
  }
}

variable "cpu" {
  type        = number
  default     = 200
  description = "CPU reservation in MHz, the share under contention."
}

variable "memory" {
  type        = number
  default     = 128
  description = "Memory in MiB that is reserved."
}

variable "memory_max" {
  type        = number
  default     = 384
  description = "Memory in MiB: the limit, where Nomad may use cgroups (agent run by root)."
}

job "mysql" {
  type        = "service"
  datacenters = [var.datacenter]

  ui {
    description = "MariaDB in MySQL's place, a database for each service. Tables are in `${var.data_dir}`."
  }

  update {
    max_parallel      = 1
    health_check      = "checks"
    min_healthy_time  = "0s"
    healthy_deadline  = "3m"
    progress_deadline = "4m"
  }

  # For failures outside a task (a hook of the allocation): tasks themselves restart in place, see `restart`.
  reschedule {
    delay          = "5s"
    delay_function = "constant"
    unlimited      = true
  }

  group "mysql" {
    network {
      port "mysql" {
        static = var.port
      }
    }

    service {
      name = "mysql"
      port = "mysql"

      meta {
        standsInFor = "MySQL"
        server      = "MariaDB"
      }

      # A login that the server must look up and refuse: see jobs/README.md.
      check {
        name     = "mysql answers"
        type     = "script"
        task     = "mysql"
        command  = var.perl
        args     = [var.probe, "mysql", "127.0.0.1", "${var.port}"]
        interval = "2s"
        timeout  = "5s"
        check_restart {
          limit = 3
          grace = "90s"
        }
      }
    }

    # Never gives up: after the attempts it waits for the next interval, which is short for that reason.
    restart {
      attempts = 5
      interval = "15s"
      delay    = "1s"
      mode     = "delay"
    }

    ephemeral_disk {
      size = 50
    }

    task "mysql" {
      driver       = var.driver
      kill_signal  = "SIGTERM"
      kill_timeout = "20s"

      config {
        command = var.setpriv
        args    = ["--pdeathsig", "KILL", "--", "/bin/sh", "local/start.sh"]
      }

      env {
        DATA_DIR     = var.data_dir
        SERVER       = var.server
        BASE_DIR     = "${var.home}/usr"
        LIBRARY_PATH = var.library_path
        SQL_PORT     = "${var.port}"
      }

      template {
        destination = "local/start.sh"
        change_mode = "restart"
        data        = <<-EOT
          set -eu
          # Only here, so that the health check's perl keeps the system's libraries.
          [ -z "$LIBRARY_PATH" ] || export LD_LIBRARY_PATH="$LIBRARY_PATH"
          share=$BASE_DIR/share/mysql
          set -- "$SERVER" --no-defaults --basedir="$BASE_DIR" --lc-messages-dir="$share" \
            --plugin-dir="$BASE_DIR/lib/mysql/plugin" --tmpdir="$NOMAD_TASK_DIR" \
            --innodb-buffer-pool-size=32M --innodb-log-file-size=16M
          # MariaDB refuses to run as root unless told to; others may not be told.
          [ "$(id -u)" != 0 ] || set -- "$@" --user=root

          # What mariadb-install-db does, which can't have a space in a path.
          # Made aside, then renamed: a kill in between leaves nothing that looks like a database.
          if [ ! -d "$DATA_DIR/db" ]; then
            mkdir -p "$DATA_DIR"
            rm -rf "$DATA_DIR"/db.new.* || true
            new=$(mktemp -d "$DATA_DIR/db.new.XXXXXX")
            {
              printf '%s\n' 'CREATE DATABASE IF NOT EXISTS mysql;' 'USE mysql;' 'SET @auth_root_socket = NULL;'
              cat "$share/mysql_system_tables.sql" "$share/mysql_performance_tables.sql" \
                "$share/mysql_system_tables_data.sql" "$share/fill_help_tables.sql" \
                "$share/maria_add_gis_sp_bootstrap.sql" "$share/mysql_sys_schema.sql"
            } > local/system.sql
            "$@" --bootstrap --datadir="$new" --log-warnings=0 --enforce-storage-engine= \
              --max-allowed-packet=8M --net-buffer-length=16K < local/system.sql
            mv "$new" "$DATA_DIR/db"
          fi

          # The socket's name is relative to the data folder, because a socket's path may not exceed 107 bytes.
          # log-warnings=1 leaves out refused logins, one of which is the health check's.
          exec "$@" --datadir="$DATA_DIR/db" --socket=mysql.sock --pid-file=mysql.pid \
            --port="$SQL_PORT" --bind-address=127.0.0.1 --skip-name-resolve --max-connect-errors=4294967295 \
            --init-file="$NOMAD_SECRETS_DIR/accounts.sql" --log-warnings=1 \
            --performance-schema=OFF --innodb-flush-log-at-trx-commit=1 \
            --key-buffer-size=1M --aria-pagecache-buffer-size=1M --character-set-server=utf8mb4
        EOT
      }

      # Runs before the first connection is accepted. Passwords are of [A-Za-z0-9_-] only, so they need no escapes.
      template {
        destination = "secrets/accounts.sql"
        perms       = "0600"
        change_mode = "restart"
        data        = <<-EOT
          {{ with nomadVar "nomad/jobs/mysql" }}
          CREATE USER IF NOT EXISTS 'root'@'127.0.0.1';
          GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;
          ALTER USER 'root'@'127.0.0.1' IDENTIFIED BY '{{ .root_password }}';
          ALTER USER 'root'@'localhost' IDENTIFIED BY '{{ .root_password }}';
          DELETE FROM mysql.global_priv WHERE User = '' OR User = 'root' AND Host NOT IN ('localhost', '127.0.0.1');
          DELETE FROM mysql.global_priv WHERE Host = '127.0.0.1'
            AND User NOT IN (${join(", ", formatlist("'%s'", compact(split(",", "root,${var.accounts}"))))});
          DELETE FROM mysql.proxies_priv WHERE Host <> 'localhost';
          FLUSH PRIVILEGES;
          %{ for name in compact(split(",", var.accounts)) ~}
          CREATE DATABASE IF NOT EXISTS `${name}`;
          CREATE USER IF NOT EXISTS '${name}'@'127.0.0.1';
          GRANT ALL PRIVILEGES ON `${name}`.* TO '${name}'@'127.0.0.1';
          ALTER USER '${name}'@'127.0.0.1' IDENTIFIED BY '{{ index . "${name}_password" }}';
          %{ endfor ~}
          {{ end }}
        EOT
      }

      logs {
        max_files     = 3
        max_file_size = 5
      }

      resources {
        cpu        = var.cpu
        memory     = var.memory
        memory_max = var.memory_max
      }
    }
  }
}
