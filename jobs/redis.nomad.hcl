# Redis: the key-value store, of carts, rate limits and the log-ins that were ended early. Runs one redis-server.
# Data: the append-only files in data_dir. Every write is flushed to disk before it is acknowledged.
# Secrets: Nomad Variable nomad/jobs/redis, items admin_password, cart_password, gateway_password and user_password.

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
  description = "Absolute path of redis-server."
}

variable "library_path" {
  type        = string
  default     = ""
  description = "LD_LIBRARY_PATH for the server, empty for none."
}

variable "port" {
  type        = number
  description = "Port of the Redis protocol."
}

variable "cpu" {
  type        = number
  default     = 100
  description = "CPU reservation in MHz, the share under contention."
}

variable "memory" {
  type        = number
  default     = 96
  description = "Memory in MiB: the reservation, and the limit where Nomad may use cgroups (agent run by root)."
}

job "redis" {
  type        = "service"
  datacenters = [var.datacenter]

  ui {
    description = "Redis, for the services cart, gateway and user. Keys are kept in `${var.data_dir}`."
  }

  update {
    max_parallel      = 1
    health_check      = "checks"
    min_healthy_time  = "0s"
    healthy_deadline  = "2m"
    progress_deadline = "3m"
  }

  # For failures outside a task (a hook of the allocation): tasks themselves restart in place, see `restart`.
  reschedule {
    delay          = "5s"
    delay_function = "constant"
    unlimited      = true
  }

  group "redis" {
    network {
      port "redis" {
        static = var.port
      }
    }

    service {
      name = "redis"
      port = "redis"

      # PING; without a login Redis refuses it in its protocol, which is an answer as well.
      check {
        name     = "redis answers"
        type     = "script"
        task     = "redis"
        command  = var.perl
        args     = [var.probe, "redis", "127.0.0.1", "${var.port}"]
        interval = "2s"
        timeout  = "5s"
        check_restart {
          limit = 3
          grace = "60s"
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

    task "redis" {
      driver       = var.driver
      kill_signal  = "SIGTERM"
      kill_timeout = "10s"

      config {
        command = var.setpriv
        args    = ["--pdeathsig", "KILL", "--", "/bin/sh", "local/start.sh"]
      }

      env {
        DATA_DIR     = var.data_dir
        SERVER       = var.server
        LIBRARY_PATH = var.library_path
      }

      template {
        destination = "local/start.sh"
        change_mode = "restart"
        data        = <<-EOT
          set -eu
          # Only here, so that the health check's perl keeps the system's libraries.
          [ -z "$LIBRARY_PATH" ] || export LD_LIBRARY_PATH="$LIBRARY_PATH"
          mkdir -p "$DATA_DIR"
          exec "$SERVER" local/redis.conf
        EOT
      }

      template {
        destination = "local/redis.conf"
        change_mode = "restart"
        data        = <<-EOT
          bind 127.0.0.1
          port ${var.port}
          dir {{ env "DATA_DIR" | toJSON }}
          aclfile {{ env "NOMAD_SECRETS_DIR" | printf "%s/users.acl" | toJSON }}
          # The append-only file is the one record of the data: no snapshots beside it.
          appendonly yes
          appendfsync always
          save ""
        EOT
      }

      # Only hashes, so that no password lies in the file. The last rule wins in an ACL; a script may do what its caller may.
      # Nobody can log in as `default`, but
      # Redis reads its append-only file as that user, and drops transactions for which it lacks the rights.
      # The user service says which log-ins have ended, the gateway reads that; what stands in brackets is for other keys.
      template {
        destination = "secrets/users.acl"
        perms       = "0600"
        change_mode = "restart"
        data        = <<-EOT
          {{ with nomadVar "nomad/jobs/redis" -}}
          user default off ~* &* +@all
          user admin on #{{ .admin_password.Value | sha256Hex }} ~* &* +@all
          user cart on #{{ .cart_password.Value | sha256Hex }} ~cart:* ~user:* resetchannels -@all +ping +info +scan +get +set +del +ttl +expire +hget +hset +hdel +hlen +hexists +hgetall +eval
          user gateway on #{{ .gateway_password.Value | sha256Hex }} %R~revocations resetchannels -@all +ping +info +multi +exec +discard +xread +xrange (~gateway:* resetchannels -@all +@string +@hash +@sortedset +del +exists +expire +pexpire +ttl +pttl +eval +evalsha +script|load +script|exists)
          user user on #{{ .user_password.Value | sha256Hex }} %W~revocations resetchannels -@all +ping +info +xadd +xtrim
          {{- end }}
        EOT
      }

      logs {
        max_files     = 3
        max_file_size = 5
      }

      resources {
        cpu    = var.cpu
        memory = var.memory
      }
    }
  }
}
